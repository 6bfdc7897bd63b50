import t, { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import { FILE_MS, show, shown } from './shown.ts'

needs(t, 'postgres', 'redis')
t.setTimeout(FILE_MS)

test('Postgres is restarted, killed and stopped for 10 s under load: no double execution, no changed answer, and the service comes back by itself', async (t) => {
  await shown(t, [show('postgres-pause'), show('postgres-kill'), show('postgres-restart')])
})

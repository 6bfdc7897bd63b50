import t, { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import { FILE_MS, show, shown } from './shown.ts'

needs(t, 'postgres', 'redis')
t.setTimeout(FILE_MS)

test('a primary is killed and its synchronous standby promoted, also after waits for it were cancelled: no acknowledged key is lost', async (t) => {
  await shown(t, [show('failover-applied'), show('cancelled'), show('collapse')])
})

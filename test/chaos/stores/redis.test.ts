import t, { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import { FILE_MS, show, shown } from './shown.ts'

needs(t, 'postgres', 'redis')
t.setTimeout(FILE_MS)

test('Stripe 2017: Redis is flushed, stopped, killed and switched to an empty one before Postgres: no double execution, no changed answer, and no client is told of it', async (t) => {
  await shown(t, [show('redis')])
})

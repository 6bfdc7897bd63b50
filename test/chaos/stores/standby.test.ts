import t, { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import { show, shown } from './shown.ts'

needs(t, 'postgres', 'redis')

test('a primary is killed and its synchronous standby promoted, also after waits for it were cancelled: no acknowledged key is lost', async (t) => {
  await shown(t, [show('failover-applied'), show('failover-behind'), show('cancelled'), show('collapse')])
})

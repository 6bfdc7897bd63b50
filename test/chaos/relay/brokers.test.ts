import { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import { brokersCampaign } from './brokers.ts'

/* `npm run chaos:relay -- --only brokers` in small. */

test('a reader of committed records sees every event once and in order, whether relay or broker is killed or stands still', async (t) => {
  needs(t, 'postgres')
  needs(t, 'kafka')
  t.match(await brokersCampaign(t, { events: 4000, lanes: 50, faults: 4 }), { distinct: 4000, duplicates: 0, disordered: [], left: 0 })
})

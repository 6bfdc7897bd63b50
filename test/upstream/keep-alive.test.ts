import { test } from 'tap'
import { chance } from '../chaos/chance.ts'
import { race } from '../chaos/keep-alive-race.ts'

for (const hint of [true, false]) {
  test(`an upstream that closes idle connections after 2 s, and ${hint ? 'says so' : 'does not say so'}, leaves no doubts`, async (t) => {
    const raced = await race({ requests: 250, perSecond: 50, keepAliveMs: 2000, hint, uniform: chance(7, 'race') })
    t.match(raced, { answered: 250, lost: 0, notSent: 0 })
  })
}

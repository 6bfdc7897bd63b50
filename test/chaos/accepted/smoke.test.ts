import { test } from 'tap'
import { acceptedCampaign } from './campaign.ts'
import type { Bug } from './order.ts'

/* `npm run chaos:accepted` in small. */

test('I1 One execution of what was accepted, I4 and I6 with it: killed in between, nothing is lost, run twice, or told to others', async (t) => {
  const { accepted, ends, violations } = await acceptedCampaign(t, { store: 'embedded', requests: 120, kills: 2, seed: 1, bug: null })
  t.same(violations, [])
  t.equal(accepted, 120)
  t.ok((ends['completed'] ?? 0) > 60, JSON.stringify(ends))
})

const PLANTED: readonly (readonly [Bug, RegExp])[] = [['begin-takes', /was done 2 times/], ['doubts-are-free', /is dead and was done/], ['accept-late', /never came to an end: 404/], ['anybody', /was told to somebody else/]]

test('every planted bug is seen', async (t) => {
  await Promise.all(PLANTED.map(async ([bug, seen]) => {
    const { violations } = await acceptedCampaign(t, { store: 'embedded', requests: 60, kills: 1, seed: 2, bug })
    t.match(violations.join('\n'), seen, bug)
  }))
})

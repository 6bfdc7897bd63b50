import { test } from 'tap'
import { acceptedCampaign } from './campaign.ts'
import type { Bug } from './sidecar.ts'

/* `npm run chaos:accepted` in small. */

test('I1 One execution of what was accepted, I4 and I6 with it: killed in between, nothing is lost, run twice, or told to others', async (t) => {
  const { accepted, ends, violations } = await acceptedCampaign(t, { store: 'embedded', requests: 150, kills: 2, seed: 1, bug: null })
  t.same(violations, [])
  t.equal(accepted, 150)
  t.ok((ends['completed'] ?? 0) > 100, JSON.stringify(ends))
})

for (const [bug, seen] of [['begin-takes', /was done 2 times/], ['doubts-are-free', /was done 2 times/], ['accept-late', /never came to an end: 404/], ['anybody', /was told to somebody else/]] satisfies [Bug, RegExp][]) {
  test(`the planted bug ${bug} is seen`, async (t) => {
    const { violations } = await acceptedCampaign(t, { store: 'embedded', requests: 120, kills: 2, seed: 2, bug })
    t.match(violations.join('\n'), seen)
  })
}

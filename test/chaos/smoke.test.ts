import { test } from 'tap'
import { crashTrials, lateTrials, randomTrial, runCampaign, TRIAL_MS, type Trial } from './campaign.ts'
import { CHECKS, type CheckName } from './check.ts'
import type { Bug } from './protocol.ts'
import type { Report } from './trial.ts'

/* The campaign in small, for every run of the tests: `npm run chaos:embedded` is the whole. */

const LANES = 4

async function run(trials: readonly Trial[], bug: Bug | null): Promise<Report[]> {
  return await runCampaign({ trials, bug, lanes: LANES, trialMs: TRIAL_MS, keepFailed: bug === null, told: () => undefined })
}

function caughtBy(reports: readonly Report[]): Set<CheckName> {
  return new Set(reports.flatMap(({ violations }) => violations.map(({ check }) => check)))
}

const crashes = crashTrials(1)
const late = lateTrials()

test('killed at every checkpoint of flow one, superseded, and at random: one execution, one answer, every doubt visible', async (t) => {
  const planned = crashes.filter(({ group }) => group.startsWith('kill at '))
  t.equal(planned.length, 7)
  const reports = await run([...planned, ...late.slice(0, 1), ...late.slice(-2), ...[1, 2].map(randomTrial)], null)
  for (const { plan, violations, broken } of reports) {
    t.equal(broken, null, `${plan.name}: the trial worked`)
    t.same(violations, [], `${plan.name}: nothing was violated`)
  }
})

const PLANTED: readonly { readonly bug: Bug, readonly trials: readonly Trial[], readonly seenBy: readonly CheckName[] }[] = [
  { bug: 'no-fence', trials: late.slice(0, 1), seenBy: ['one-answer'] },
  { bug: 'answer-before-settle', trials: crashes.filter(({ group }) => group === 'kill when an answer is heard'), seenBy: ['answer-stands', 'answer-is-stored'] },
  { bug: 'release-on-reset', trials: crashes.filter(({ group }) => group === 'kill in write abandon'), seenBy: ['one-execution', 'doubt-is-visible'] },
  { bug: 'send-before-claim', trials: crashes.filter(({ group }) => group === 'kill when the upstream has it'), seenBy: ['one-execution', 'doubt-is-visible'] },
]

test('every planted bug is seen', async (t) => {
  await Promise.all(PLANTED.map(async ({ bug, trials, seenBy }) => {
    const reports = await run(trials, bug)
    t.ok(reports.every(({ broken }) => broken === null), `${bug}: the trials worked`)
    const caught = caughtBy(reports)
    // which one it is depends on who was asking when the process died
    const seen = seenBy.filter((check) => caught.has(check))
    t.ok(seen.length > 0, `${bug} is seen: ${seen.map((check) => CHECKS[check]).join('; ')}`)
  }))
})

import type { Test } from 'tap'
import { runCampaign, type Trial } from '../campaign.ts'
import type { StoreBug } from '../protocol.ts'
import type { Report } from '../trial.ts'
import { showPlan, trialOf, type Show } from './plans.ts'

/* The campaign in small, for every run of the tests: `npm run chaos:stores` is the whole. */

/** Side by side; they mostly wait. */
const LANES = 2
const TRIAL_MS = 110_000
/** A file takes 15 to 50 s; where others use the machine, too, several times that. */
export const FILE_MS = 400_000

export function show(name: Show): Trial {
  return trialOf(showPlan(name, 'ci'), `--ci --show ${name}`)
}

export async function runSmall(trials: readonly Trial[], bug: StoreBug | null): Promise<Report[]> {
  return await runCampaign({ trials, bug, lanes: LANES, trialMs: TRIAL_MS, keepFailed: bug === null, told: () => undefined })
}

/** Nothing may be violated; what was measured is printed. */
export async function shown(t: Test, trials: readonly Trial[]): Promise<Report[]> {
  t.setTimeout(FILE_MS)
  const reports = await runSmall(trials, null)
  for (const { plan, violations, broken, figures, counts } of reports) {
    t.comment(`${plan.name}: ${counts.keys} keys, ${counts.executions} executions, ${counts.uncertain} in doubt`)
    for (const figure of figures) t.comment(`${plan.name}: ${figure}`)
    t.equal(broken, null, `${plan.name}: the trial worked`)
    t.same(violations, [], `${plan.name}: nothing was violated`)
  }
  return reports
}

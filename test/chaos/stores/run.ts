import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { runCampaign, type Trial } from '../campaign.ts'
import { STORE_BUGS, type StoreBug } from '../protocol.ts'
import { table } from '../table.ts'
import type { Report } from '../trial.ts'
import { randomStoreTrial, SHOWS, showPlan, showTrials, trialOf } from './plans.ts'

/*
 * npm run chaos:stores [-- options]
 *
 *     --minutes N   of random runs, after what issue 4 says must show (10)
 *     --from N      the first random seed; the others follow (a random one)
 *     --seed N      only this random run        --show NAME   only this show; --shows none: random runs only
 *     --ci          shows in the size of the tests
 *     --bug NAME    plants a bug: unknown-is-no, unknown-is-yes, deaf-to-notices, redis-decides
 *
 * Exit code 0: everything held. 1: something was violated, or a trial did not work. With --bug it must be 1.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' }, from: { type: 'string' }, seed: { type: 'string' }, show: { type: 'string' }, shows: { type: 'string', default: 'all' },
    ci: { type: 'boolean', default: false }, bug: { type: 'string' },
  },
})

/** The longest show sends 80,000 requests twice. */
const TRIAL_MS = 600_000

const size = values.ci ? 'ci' : 'full'
const bug = bugOf(values.bug)
const from = values.from === undefined ? randomInt(1_000_000) : Number(values.from)
const reports: Report[] = []
const startedAt = performance.now()

if (values.seed !== undefined) await run(randomStoreTrial(Number(values.seed)))
else if (values.show !== undefined) await run(shown(values.show))
else {
  print(`random seeds from ${from}${bug === null ? '' : `, planted bug: ${bug}`}`)
  if (values.shows !== 'none') for (const trial of showTrials(size)) await run(trial)
  const until = performance.now() + Number(values.minutes) * 60_000
  for (let seed = from; performance.now() < until; seed += 1) await run(randomStoreTrial(seed))
}
print(table(reports))
print(`${Math.round((performance.now() - startedAt) / 1000)} s`)
process.exitCode = reports.every(isGood) ? 0 : 1

/** One at a time: each has the machine to itself, as far as that goes, and its figures mean something. */
async function run(trial: Trial): Promise<void> {
  reports.push(...await runCampaign({ trials: [trial], bug, lanes: 1, trialMs: TRIAL_MS, keepFailed: bug === null, told }))
}

function told(trial: Trial, report: Report): void {
  const { keys, executions, uncertain } = report.counts
  print(`${isGood(report) ? 'ok' : 'FAILED'} ${trial.name} (${trial.again}): ${report.deaths.join(', ') || 'no faults'}; ${keys} keys, ${executions} executions, ${uncertain} in doubt`)
  for (const figure of report.figures) print(`     ${figure}`)
  for (const { check, key, detail } of report.violations.slice(0, 6)) print(`  ${check}: ${key}: ${detail}`)
  if (report.violations.length > 6) print(`  and ${report.violations.length - 6} more`)
  if (report.broken !== null) print(`  the trial did not work: ${report.broken}`)
}

function shown(name: string): Trial {
  const show = SHOWS.find((one) => one === name)
  if (show === undefined) throw new Error(`no show is called ${name}; there are ${SHOWS.join(', ')}`)
  return trialOf(showPlan(show, size), `--show ${show}`)
}

function isGood({ violations, broken }: Report): boolean {
  return violations.length === 0 && broken === null
}

function bugOf(name: string | undefined): StoreBug | null {
  if (name === undefined) return null
  const known = STORE_BUGS.find((one) => one === name)
  if (known === undefined) throw new Error(`no bug is called ${name}; there are ${STORE_BUGS.join(', ')}`)
  return known
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

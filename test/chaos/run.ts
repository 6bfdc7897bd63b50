import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { crashTrials, lateTrials, randomTrial, runCampaign, TRIAL_MS, type Trial } from './campaign.ts'
import { BUGS, type Bug } from './protocol.ts'
import { table } from './table.ts'
import type { Report } from './trial.ts'

/*
 * npm run chaos:embedded [-- options]
 *
 *     --runs N      random runs after the planned ones (200)
 *     --from N      the first random seed; the others follow (a random one)
 *     --seed N      only this random run
 *     --crash N     only this planned crash          --late N     only this late holder
 *     --hits N      planned crashes at the first to N-th time of each point (4)
 *     --bug NAME    plants a bug: no-fence, answer-before-settle, release-on-reset, send-before-claim
 *     --lanes N     trials side by side (5)
 *
 * Exit code 0: everything held. 1: something was violated, or a trial did not work. With --bug it must be 1.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' }, from: { type: 'string' }, seed: { type: 'string' }, crash: { type: 'string' }, late: { type: 'string' },
    hits: { type: 'string', default: '4' }, bug: { type: 'string' }, lanes: { type: 'string', default: '5' },
  },
})

const bug = bugOf(values.bug)
const from = values.from === undefined ? randomInt(1_000_000) : Number(values.from)
const hits = Number(values.hits)
const trials = chosen()
const startedAt = performance.now()
let done = 0

print(`${trials.length} trials, ${values.lanes} side by side${values.seed === undefined ? `, random seeds from ${from}` : ''}${bug === null ? '' : `, planted bug: ${bug}`}`)
const reports = await runCampaign({ trials, bug, lanes: Number(values.lanes), trialMs: TRIAL_MS, keepFailed: bug === null, told })
print(table(reports))
print(`${Math.round((performance.now() - startedAt) / 1000)} s`)
process.exitCode = reports.every(isGood) ? 0 : 1

function chosen(): Trial[] {
  if (values.seed !== undefined) return [randomTrial(Number(values.seed))]
  if (values.crash !== undefined) return crashTrials(hits).slice(Number(values.crash), Number(values.crash) + 1)
  if (values.late !== undefined) return lateTrials().slice(Number(values.late), Number(values.late) + 1)
  return [...lateTrials(), ...crashTrials(hits), ...Array.from({ length: Number(values.runs) }, (_, i) => randomTrial(from + i))]
}

function told(trial: Trial, report: Report): void {
  done += 1
  if (done % 50 === 0) print(`${done} of ${trials.length}`)
  if (isGood(report)) return
  print(`FAILED ${trial.name} (${trial.again}); died at: ${report.deaths.join(', ')}`)
  for (const { check, key, detail } of report.violations.slice(0, 6)) print(`  ${check}: ${key}: ${detail}`)
  if (report.violations.length > 6) print(`  and ${report.violations.length - 6} more`)
  if (report.broken !== null) print(`  the trial did not work: ${report.broken}`)
}

function isGood({ violations, broken }: Report): boolean {
  return violations.length === 0 && broken === null
}

function bugOf(name: string | undefined): Bug | null {
  if (name === undefined) return null
  const known = BUGS.find((one) => one === name)
  if (known === undefined) throw new Error(`no bug is called ${name}; there are ${BUGS.join(', ')}`)
  return known
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

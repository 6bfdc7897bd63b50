import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { BUGS, type Bug } from '../protocol.ts'
import { missed, PEAK_BAR_BYTES, runMix, type Outcome } from './mix.ts'

/*
 * npm run chaos:hostile [-- options]
 *
 *     --seed N       what the clients do follows from it (a random one); when they do it is the machine's affair
 *     --seconds N    how long (60)
 *     --bug NAME     plants a bug: release-on-reset, answer-before-settle, send-before-claim
 *
 * Exit code 0: every bar was met. 1: one was missed, and which. With --bug it must be 1.
 */
const { values } = parseArgs({ options: { seed: { type: 'string' }, seconds: { type: 'string', default: '60' }, bug: { type: 'string' } } })
const seed = values.seed === undefined ? randomInt(1_000_000) : Number(values.seed)
const bug = bugOf(values.bug)

print(`${values.seconds} s, seed ${seed}${bug === null ? '' : `, planted bug: ${bug}`}`)
const outcome = await runMix({ seed, seconds: Number(values.seconds), bug, goodLanes: 8, hostileLanes: 24 })
for (const line of summary(outcome)) print(line)
const wrong = missed(outcome)
for (const line of wrong) print(`MISSED: ${line}`)
process.exitCode = wrong.length === 0 ? 0 : 1

function summary({ crashed, peakBytes, good, attacks, executedTwice, smuggled, leaked, othersArrived }: Outcome): string[] {
  const served = good.filter(({ harm }) => harm === null)
  const attacked = [...attacks].toSorted(([a], [b]) => a.localeCompare(b))
  return [
    `attacks: ${attacked.reduce((sum, [, count]) => sum + count, 0)} (${attacked.map(([name, count]) => `${name} ${count}`).join(', ')}); ${othersArrived} requests of theirs arrived`,
    `crash: ${crashed ? 'yes' : 'no'}`,
    `peak resident memory: ${peakBytes >> 20} MiB (bar ${PEAK_BAR_BYTES >> 20})`,
    `well-behaved operations: ${good.length}, served as promised ${served.length} (${served.filter(({ operation }) => operation.fate === 'lost').length} of them doubts), longest ${Math.round(Math.max(0, ...good.map(({ longestMs }) => longestMs)))} ms`,
    `executed twice: ${executedTwice.length}; smuggled: ${smuggled.length}; replies given to others: ${leaked.length}`,
  ]
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

import { alternate, loadCase, median, type Course, type Round } from './rounds.ts'
import type { Target } from './scene.ts'
import { verdict } from './table.ts'

/*
 * What two programs carry at most. With few clients, each of whom waits for two commits, throughput says how long a commit takes
 * and not what the store can do; so both are loaded with more and more of them, and the best of the one is held against the best
 * of the other. Every count is printed, also those that look worse.
 */
const CLIENT_COUNTS = [64, 192, 384]

interface Program {
  readonly name: string
  readonly target: Target
}

/** New keys per second of `ours` and `theirs`; false if our peak is less than so many times theirs, or a request failed. */
export async function comparePeaks(ours: Program, theirs: Program, atLeast: number, course: Course): Promise<boolean> {
  const nameOf = ({ name }: Program, clients: number): string => `${name}, ${clients} clients`
  const cases = CLIENT_COUNTS.flatMap((clients) => [ours, theirs].map((program) => loadCase(nameOf(program, clients), program.target, 'new', clients)))
  const results = await alternate(cases, course, (label) => `peak-${label}`)
  const perSecond = (program: Program, clients: number): number => median((results.get(nameOf(program, clients)) ?? []).map((round) => round.perSecond))
  for (const clients of CLIENT_COUNTS) {
    const [one, other] = [perSecond(ours, clients), perSecond(theirs, clients)]
    process.stdout.write(`${clients} clients: ${ours.name} ${one.toFixed(0)}/s, ${theirs.name} ${other.toFixed(0)}/s, ${(one / other).toFixed(2)} x\n`)
  }
  const peak = (program: Program): number => Math.max(...CLIENT_COUNTS.map((clients) => perSecond(program, clients)))
  const ratio = peak(ours) / peak(theirs)
  const failed = [...results.values()].flat().reduce((sum: number, round: Round) => sum + round.failed, 0)
  if (failed > 0) process.stdout.write(`${failed} requests FAILED\n`)
  verdict(`${ours.name}: peak throughput ${ratio.toFixed(2)} x that of ${theirs.name}, each at its best number of clients`, `at least ${atLeast}`, ratio >= atLeast)
  return ratio >= atLeast && failed === 0
}

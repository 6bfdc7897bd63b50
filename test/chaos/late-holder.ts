import { join } from 'node:path'
import type { CheckName, Violation } from './check.ts'
import { hashOf } from './chance.ts'
import { startLife, startUpstream, type SidecarChild, type UpstreamChild } from './children.ts'
import { Client, History, type Operation, type Session } from './client.ts'
import type { Behaviour } from './protocol.ts'
import { judged, lastRound, sidecarOrder, type Ground, type Report } from './trial.ts'

/*
 * A holder that is late. Replica A claims and is stopped: the upstream is slow, or A itself is asleep. Its renewals do
 * not get through, its lease ends, and replica B lets somebody else decide. Then A wakes up, and must neither send nor
 * change anything, and tell its own client what everybody else was told.
 */
export interface LateHolder {
  readonly name: string
  readonly route: Operation['route']
  readonly stoppedAt: 'upstream' | 'before-attempt' | 'before-settle'
  readonly meanwhile:
    /** an operator says how it ended */
    | 'resolved'
    /** an operator says that it never ran, and a second request claims the key and is still running when A wakes up */
    | 'freed'
    /** replica B takes over and sends again, because the route may */
    | 'taken'
  /** what the upstream makes of A's request in the end */
  readonly endsAs: Behaviour
  /** sendings that may have had an effect */
  readonly sendings: number
}

export const LATE_HOLDERS: readonly LateHolder[] = [
  { name: 'a slow upstream answers after an operator', route: 'hold', stoppedAt: 'upstream', meanwhile: 'resolved', endsAs: 'answer', sendings: 1 },
  { name: 'a slow upstream answers a streamed reply after an operator', route: 'hold', stoppedAt: 'upstream', meanwhile: 'resolved', endsAs: 'streamed', sendings: 1 },
  { name: 'a holder that slept on its answer wakes up after an operator', route: 'wait', stoppedAt: 'before-settle', meanwhile: 'resolved', endsAs: 'answer', sendings: 1 },
  { name: 'a holder that slept before it sent wakes up after an operator', route: 'hold', stoppedAt: 'before-attempt', meanwhile: 'resolved', endsAs: 'answer', sendings: 0 },
  { name: 'a late refusal meets the next owner of the key', route: 'hold', stoppedAt: 'upstream', meanwhile: 'freed', endsAs: 'refuse-503', sendings: 1 },
  { name: 'a slow upstream answers after a take-over', route: 'resend', stoppedAt: 'upstream', meanwhile: 'taken', endsAs: 'answer', sendings: 2 },
  { name: 'a holder that slept on its answer wakes up after a take-over', route: 'resend', stoppedAt: 'before-settle', meanwhile: 'taken', endsAs: 'answer', sendings: 2 },
  { name: 'a holder that slept before it sent wakes up after a take-over', route: 'resend', stoppedAt: 'before-attempt', meanwhile: 'taken', endsAs: 'answer', sendings: 1 },
]

const OPERATOR_BODY = JSON.stringify({ decided: 'by an operator' })

/** A lease of 3 s is found ended by asking; this is long past it. */
const LEASE_ENDS_WITHIN_MS = 10_000

export async function runLateHolder(scenario: LateHolder, ground: Ground): Promise<Report> {
  const history = new History()
  const client = new Client(history)
  const operation: Operation = { key: `late-${hashOf(scenario.name)}`, route: scenario.route, senders: 1, comesBack: true }
  const upstream = await startUpstream({ ledger: join(ground.dir, 'ledger'), seed: 0, weights: {}, gated: true }, ground.nursery)
  const order = sidecarOrder(upstream.origin, ground, '0', { deadline: '30s', linger: '30s' })
  const stallAt = scenario.stoppedAt === 'upstream' ? null : scenario.stoppedAt
  try {
    const { child, addresses } = await startLife({ ...order, replicas: 2, renewals: 'suppressed', stallAt }, ground.nursery)
    const [late, other] = addresses as [string, string]
    const stage: Stage = { scenario, operation, client, history, upstream: upstream.child, sidecar: child, late, other }
    await play(stage)
    await child.kill()
    const again = await startLife(sidecarOrder(upstream.origin, ground, '1', { deadline: '30s', linger: '30s' }), ground.nursery)
    const unended = await lastRound([operation], client, again.addresses)
    await again.child.kill()
    const report = await judged({ name: scenario.name, group: 'late holder', operations: [operation] }, ground, history, unended, ['rest'], null)
    return { ...report, violations: [...report.violations, ...tooManySendings(scenario, operation, report)] }
  } finally {
    client.close()
  }
}

interface Stage {
  readonly scenario: LateHolder
  readonly operation: Operation
  readonly client: Client
  readonly history: History
  readonly upstream: UpstreamChild
  readonly sidecar: SidecarChild
  readonly late: string
  readonly other: string
}

async function play(stage: Stage): Promise<void> {
  const { scenario, operation, client, upstream, sidecar, late, other } = stage
  const { key } = operation
  const kept = scenario.meanwhile === 'freed' ? [1, 2] : [1]
  const open = (nth: number, as: Behaviour): void => upstream.say({ kind: 'open', key, nth, as })
  if (scenario.stoppedAt === 'before-attempt') kept.shift() // A sends nothing, so that the first to arrive is B's
  upstream.listen((message) => {
    if (message.kind === 'arrived' && !kept.includes(message.nth)) open(message.nth, 'answer')
  })
  const first = client.ask(late, operation)
  if (scenario.stoppedAt !== 'before-attempt') await upstream.told((message) => message.kind === 'arrived' && message.nth === 1)
  if (scenario.stoppedAt === 'before-settle') open(1, scenario.endsAs)
  if (scenario.stoppedAt !== 'upstream') await sidecar.told(({ kind }) => kind === 'stalled')

  const second = await meanwhile(stage)
  if (scenario.stoppedAt === 'upstream') open(1, scenario.endsAs)
  else sidecar.say({ kind: 'go-on' })
  await first
  if (scenario.meanwhile === 'freed') open(2, 'answer')
  if (second !== null) await second[0]
  await client.ask(late, operation)
  await client.ask(other, operation)
}

/** What happens while A is away. The result ends with the asking that is still under way, if there is one. */
async function meanwhile({ scenario, operation, client, history, upstream, sidecar, other }: Stage): Promise<readonly [Promise<unknown>] | null> {
  const signal = AbortSignal.timeout(LEASE_ENDS_WITHIN_MS)
  const session: Session = { askings: Infinity, last: scenario.meanwhile === 'taken', over: () => signal.aborted, address: () => other }
  if (!await client.pursue(operation, session)) throw new Error('the lease did not end')
  if (scenario.meanwhile === 'taken') return null
  const as = scenario.meanwhile === 'resolved' ? 'completed' : 'not-executed'
  sidecar.say({ kind: 'resolve', key: operation.key, as, body: OPERATOR_BODY })
  const answer = await sidecar.told(({ kind }) => kind === 'resolved')
  if (answer.kind !== 'resolved' || answer.outcome !== 'written') throw new Error(`the operator was told ${JSON.stringify(answer)}`)
  history.resolutions.push({ key: operation.key, as, bodyHash: hashOf(OPERATOR_BODY) })
  const second = client.ask(other, operation)
  if (as === 'completed') {
    await second
    return null
  }
  await upstream.told((message) => message.kind === 'arrived' && message.nth === 2)
  return [second]
}

function tooManySendings({ sendings }: LateHolder, { key }: Operation, { counts }: Report): Violation[] {
  const name: CheckName = 'one-execution'
  return counts.sendings === sendings ? [] : [{ check: name, key, detail: `${counts.sendings} sendings that may have had an effect, where ${sendings} are right` }]
}

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { check, effectPossible, type Evidence, type Violation } from './check.ts'
import { startLife, startUpstream, type Nursery, type SidecarChild, type UpstreamChild } from './children.ts'
import { between, chance, oneOf } from './chance.ts'
import { Client, History, type Operation, type Session } from './client.ts'
import type { Bug, SidecarOrder, Suicide, Weights } from './protocol.ts'
import { dumpStore, readLedger } from './store-dump.ts'

/*
 * One trial: clients send operations through the sidecar, which dies in each life of the plan and is started again on
 * the same files; then everything is healed, every operation is asked to its end, the sidecar is killed a last time,
 * and what the ledger, the clients and the disk say is compared.
 */

/** How a life ends. All ends are kill -9: by the process itself, or by us when something was seen from outside. */
export type Death =
  | Suicide
  | { readonly at: 'heard', readonly nth: number }
  | { readonly at: 'arrived', readonly nth: number }
  | { readonly at: 'rest' }

export interface Plan {
  readonly name: string
  /** the line of the table that it counts for */
  readonly group: string
  readonly seed: number
  readonly operations: readonly Operation[]
  readonly weights: Weights
  readonly replicas: 1 | 2
  readonly storeFaultShare: number
  readonly lives: readonly Death[]
  /** the first life must die as planned: a crash test that does not crash tests nothing */
  readonly mustDie: boolean
}

export interface Report {
  readonly plan: { readonly name: string, readonly group: string }
  readonly violations: readonly Violation[]
  /** why the trial itself did not work, which is no verdict about the product */
  readonly broken: string | null
  readonly deaths: readonly string[]
  readonly counts: Counts
  /** what was measured, a line each */
  readonly figures: readonly string[]
}

export interface Counts {
  readonly keys: number
  readonly askings: number
  readonly answers: number
  readonly executions: number
  readonly sendings: number
  readonly completed: number
  readonly uncertain: number
}

export interface Ground {
  /** empty, for this trial alone */
  readonly dir: string
  readonly nursery: Nursery
  readonly bug: Bug | null
}

/** Operations that are under way together. */
const CONCURRENCY = 6

/** Askings of one sender in a life that will end anyway. */
const ASKINGS = 6

/** What the last life may take: a lease of 3 s that the killed one left behind, and the asking. */
const HEALED_MS = 12_000

export async function runTrial(plan: Plan, ground: Ground): Promise<Report> {
  const history = new History()
  const client = new Client(history)
  const upstream = await startUpstream({ ledger: join(ground.dir, 'ledger'), seed: plan.seed, weights: plan.weights, gated: false }, ground.nursery)
  const orderOf = (life: number, suicide: Suicide | null, storeFaultShare: number): SidecarOrder => ({
    ...sidecarOrder(upstream.origin, ground, String(life), { deadline: '1s', linger: '1s' }),
    replicas: plan.replicas, suicide, storeFaults: { share: storeFaultShare, seed: plan.seed + life },
  })
  const deaths: string[] = []
  try {
    for (const [i, death] of plan.lives.entries()) {
      const order = orderOf(i, death.at === 'step' || death.at === 'write' ? death : null, plan.storeFaultShare)
      const life = await startLife(order, ground.nursery)
      const planned = diesAsPlanned(death, life.child, upstream.child, history)
      await round(plan, client, sessionOf(plan, i, life))
      const early = !life.child.alive || planned()
      await life.child.kill()
      const note = await readFile(order.deathNote, 'utf8').catch(() => null)
      deaths.push(note ?? (early ? death.at : 'rest'))
    }
    upstream.child.say({ kind: 'heal' })
    const last = await startLife(orderOf(plan.lives.length, null, 0), ground.nursery)
    const unended = await lastRound(plan.operations, client, last.addresses)
    await last.child.kill()
    const died = !plan.mustDie || deaths[0] === plannedDeath(plan.lives[0])
    return await judged(plan, ground, history, unended, deaths, died ? null : `the first life should have died at ${plannedDeath(plan.lives[0])} and died at ${deaths[0] ?? 'nothing'}`)
  } finally {
    client.close()
  }
}

/** Reads all witnesses of an embedded store and compares them. The sidecar must be dead. */
export async function judged(plan: { readonly name: string, readonly group: string, readonly operations: readonly Operation[] }, ground: Ground, history: History, unended: ReadonlySet<string>, deaths: readonly string[], broken: string | null): Promise<Report> {
  const ledger = await readLedger(join(ground.dir, 'ledger'))
  const records = await dumpStore(join(ground.dir, 'data'), plan.operations)
  return reported({ plan, ledger, records, history, unended, trouble: 'expected', deaths, broken, figures: [] })
}

export interface Testimony extends Pick<Evidence, 'ledger' | 'records' | 'unended' | 'trouble'>, Pick<Report, 'deaths' | 'broken' | 'figures'> {
  readonly plan: { readonly name: string, readonly group: string, readonly operations: readonly Operation[] }
  readonly history: History
}

export function reported({ plan, ledger, records, history, unended, trouble, deaths, broken, figures }: Testimony): Report {
  const { askings, resolutions } = history
  const states = [...records.values()].map(({ state }) => state)
  return {
    plan: { name: plan.name, group: plan.group },
    violations: check({ operations: plan.operations, ledger, askings, resolutions, records, unended, trouble }),
    broken,
    deaths,
    figures,
    counts: {
      keys: plan.operations.length,
      askings: askings.length,
      answers: askings.filter(({ heard }) => heard.kind === 'answer').length,
      executions: ledger.filter(({ at }) => at === 'executed').length,
      sendings: effectPossible(ledger),
      completed: states.filter((state) => state === 'completed').length,
      uncertain: states.filter((state) => state === 'uncertain').length,
    },
  }
}

/** The order for a life without any fault. */
export function sidecarOrder(origin: string, ground: Ground, life: string, patience: { readonly deadline: string, readonly linger: string }): SidecarOrder {
  return {
    yaml: configText(origin, `{ data_dir: ${JSON.stringify(join(ground.dir, 'data'))} }`, patience),
    replicas: 1, scratchDir: join(ground.dir, `scratch-${life}`), logFile: join(ground.dir, 'sidecar.log'), deathNote: join(ground.dir, `death-${life}`),
    suicide: null, stallAt: null, renewals: 'kept', storeFaults: { share: 0, seed: 0 }, bug: ground.bug,
  }
}

/** Asks every operation whose client comes back to its end, then once more: the last word about its key. Returns those that did not end. */
export async function lastRound(operations: readonly Operation[], client: Client, addresses: readonly string[]): Promise<Set<string>> {
  const signal = AbortSignal.timeout(HEALED_MS)
  const session: Session = { askings: Infinity, last: true, over: () => signal.aborted, address: () => addresses[0] as string }
  const back = operations.filter(({ comesBack }) => comesBack)
  const ended = await Promise.all(back.map((operation) => client.pursue(operation, session)))
  await Promise.all(back.map((operation) => client.ask(addresses.at(-1) as string, operation)))
  return new Set(back.filter((_, i) => ended[i] === false).map(({ key }) => key))
}

/** All operations, in order and some together, by all their senders, until they end or the life does. */
async function round(plan: Plan, client: Client, session: Session): Promise<void> {
  const left = plan.operations.values()
  await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
    for (const operation of left) {
      if (session.over()) return
      if (operation.comesBack) await Promise.all(Array.from({ length: operation.senders }, () => client.pursue(operation, session)))
      else if (!client.history.askings.some(({ key }) => key === operation.key)) await client.ask(session.address(), operation)
    }
  }))
}

function sessionOf(plan: Plan, life: number, { child, addresses }: { readonly child: SidecarChild, readonly addresses: readonly string[] }): Session {
  const random = chance(plan.seed, `replica ${life}`)
  return { askings: ASKINGS, last: false, over: () => !child.alive, address: () => oneOf(random, addresses as [string, ...string[]]) }
}

/** Kills from outside where the plan says so; the result tells whether that has happened. */
function diesAsPlanned(death: Death, child: SidecarChild, upstream: UpstreamChild, history: History): () => boolean {
  let seen = 0
  let killed = false
  const count = (nth: number): void => {
    seen += 1
    if (seen !== nth) return
    killed = true
    void child.kill()
  }
  if (death.at === 'heard') history.listen(({ heard }) => { if (heard.kind === 'answer') count(death.nth) })
  if (death.at === 'arrived') upstream.listen(({ kind }) => { if (kind === 'arrived') count(death.nth) })
  return () => killed
}

function plannedDeath(death: Death | undefined): string {
  switch (death?.at) {
    case 'step': return death.step
    case 'write': return `write ${death.write}`
    case undefined: case 'heard': case 'arrived': case 'rest': return death?.at ?? 'rest'
    default: return death satisfies never
  }
}

/** `store` as YAML in one line. */
export function configText(origin: string, store: string, { deadline, linger }: { readonly deadline: string, readonly linger: string }): string {
  return `
service: chaos
listen: 127.0.0.1:0
upstream: ${origin}
admin: { listen: 127.0.0.1:0 }
store: ${store}
defaults:
  idempotency: { key: required, lease: 3s }
  retry: { deadline: ${deadline}, linger: ${linger} }
routes:
  - { name: hold, match: { path: /hold/* } }
  - { name: wait, match: { path: /wait/* }, idempotency: { in_flight: { wait: 600ms } } }
  - { name: resend, match: { path: /resend/* }, idempotency: { when_unsure: { resend: { within: 24h } } } }
`
}

/** `count` operations under keys of their own. */
export function operationsOf(seed: number, count: number, routes: readonly [Operation['route'], ...Operation['route'][]]): Operation[] {
  const random = chance(seed, 'operations')
  return Array.from({ length: count }, (_, i): Operation => ({
    key: `key-${seed}-${i}`, route: oneOf(random, routes), senders: between(random, 0, 3) === 0 ? 2 : 1, comesBack: between(random, 0, 4) > 0,
  }))
}

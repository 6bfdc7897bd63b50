import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { CacheFill, CacheMiss, KeyOutcome, LimitName, Meter, ReloadResult, ReplyTier, StoreMeter, StoreStatement, Timed } from '../core/ports.ts'
import type { DifferingPart } from '../core/mismatch.ts'
import type { Census } from '../core/record.ts'
import { GAVE_UP, type GaveUp } from '../core/retry.ts'
import { textOf, CONTENT_TYPES, formatFor } from './exposition.ts'
import type { Example, Family } from './family.ts'
import { MismatchMetrics } from './mismatch-metrics.ts'
import { RelayMetrics } from './relay-metrics.ts'
import { ShadowMetrics } from './shadow-metrics.ts'
import { SourceMetrics } from './source-metrics.ts'
import type { DroppedSpans } from './span-queue.ts'
import { familiesOf } from './registered.ts'
import { Table } from './table.ts'
import { Timings } from './timings.ts'

const OUTCOMES: readonly KeyOutcome[] = ['new', 'replay', 'in_flight', 'mismatch', 'uncertain', 'missing', 'invalid', 'unavailable']
const CLASSES = ['2xx', '3xx', '4xx', '5xx', 'timeout'] as const
const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other']
const RELOADS: readonly ReloadResult[] = ['reloaded', 'refused']
const LIMITS: readonly LimitName[] = [
  'request_body', 'held_bodies', 'header_bytes', 'header_count', 'target_bytes', 'header_time', 'body_time', 'idle_time', 'connections', 'event_loop_delay',
]
const TIERS: readonly ReplyTier[] = ['memory', 'redis', 'authority']
const MISSES: readonly CacheMiss[] = ['absent', 'buried', 'foreign', 'corrupt', 'sealed', 'ended', 'differs', 'unavailable']
const FILLS: readonly CacheFill[] = ['stored', 'present', 'dropped', 'failed']
const DROPPED_SPANS: readonly DroppedSpans[] = ['queue', 'export']
const PROBE_ENDS = ['found', 'absent', 'unclear'] as const
const ATTEMPTS = ['1', '2', '3', '4+'] as const

/** Fine near 0 and near 30 s: delays without jitter would stand up as two humps there. */
const DELAY_BUCKETS_S = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 20, 25, 28, 30, 32, 35, 45, 60]

/**
 * The six metrics that the dashboard is built on, and our own prefixed ones. Label values are closed sets: route is a
 * configured name, everything else is listed above, so that no client can add a series, apart from the few names of
 * mismatch-metrics.ts. Counting is an addition in a plain table; prom-client sees the sums when it is scraped.
 */
export class Metrics implements Meter, StoreMeter {
  readonly #registry = new Registry()
  readonly relay: RelayMetrics
  readonly source: SourceMetrics
  readonly shadow: ShadowMetrics
  readonly #keys = new Table()
  /** by outcome and route, as the samples have them */
  readonly #keyExamples = new Map<string, Example>()
  readonly #timed: Readonly<Record<Timed, Timings>> = {
    request: new Timings('onceward_request_seconds', 'From the head of a request to its answer: of a guarded request until all of it is at hand, of one that passes until its head is.', 'route'),
    claim: new Timings('onceward_claim_seconds', 'From the claim of a key to the store\'s answer.', 'route'),
    upstream: new Timings('onceward_upstream_seconds', 'One attempt: from sending a request on to the answer, or to the end without one.', 'route'),
  }
  readonly #store = new Timings('onceward_store_seconds', 'One statement or transaction of the key store, for however many keys.', 'operation')
  readonly #wallMs: () => number
  readonly #answers = new Table()
  readonly #known = new Set<string>()
  readonly #unguarded = new Table()
  readonly #failedOpen = new Table()
  readonly #limited = new Table()
  readonly #hits = new Table()
  readonly #misses = new Table()
  readonly #fills = new Table()
  readonly #givenUp = new Table()
  readonly #droppedSpans = new Table()
  readonly #probed = new Table()
  readonly #mismatches = new MismatchMetrics(this.#registry)
  readonly #uncertain: Gauge
  readonly #inFlight: Gauge
  readonly #retries: Counter
  readonly #delays: Histogram
  readonly #reloads: Counter
  readonly #lastReload: Gauge

  constructor(routes: readonly string[], wallMs: () => number) {
    this.#wallMs = wallMs
    const keys = this.#keys
    const answers = this.#answers
    const unguarded = this.#unguarded
    this.#registry.registerMetric(new Counter({
      name: 'idempotency_key_total', help: 'Guarded requests by how they ended.', labelNames: ['outcome', 'route'], registers: [],
      collect() { keys.pourInto(this, ['outcome', 'route']) },
    }))
    this.#registry.registerMetric(new Counter({
      name: 'http_request_outcome', help: 'What clients got, by class; a 504 counts as timeout only.', labelNames: ['class', 'method', 'route'], registers: [],
      collect() { answers.pourInto(this, ['class', 'method', 'route']) },
    }))
    this.#registry.registerMetric(new Counter({
      name: 'onceward_unguarded_keyed_requests_total', help: 'Unsafe requests with a key on routes that look at no keys.', labelNames: ['route'], registers: [],
      collect() { unguarded.pourInto(this, ['route']) },
    }))
    const failedOpen = this.#failedOpen
    this.#registry.registerMetric(new Counter({
      name: 'onceward_fail_open_total', help: 'Requests with a key that were sent without protection, because the key store was gone and their route says store_outage: open.', labelNames: ['route'], registers: [],
      collect() { failedOpen.pourInto(this, ['route']) },
    }))
    const probed = this.#probed
    this.#registry.registerMetric(new Counter({
      name: 'onceward_probes_total', help: 'Inquiries to the upstream about keys in doubt, by what came of them.', labelNames: ['result', 'route'], registers: [],
      collect() { probed.pourInto(this, ['result', 'route']) },
    }))
    const limited = this.#limited
    this.#registry.registerMetric(new Counter({
      name: 'onceward_limit_reached_total', help: 'Requests and connections that ran into a limit, by its name under limits in the configuration.', labelNames: ['limit'], registers: [],
      collect() { limited.pourInto(this, ['limit']) },
    }))
    for (const limit of LIMITS) limited.add(0, limit)
    this.#sums('onceward_reply_cache_hits_total', 'Replays by the tier that had the reply.', 'tier', TIERS, this.#hits)
    this.#sums('onceward_reply_cache_misses_total', 'Keys for which Redis had no reply to give, by why.', 'reason', MISSES, this.#misses)
    this.#sums('onceward_reply_cache_fills_total', 'Replies that were to be remembered in Redis, by what became of it.', 'result', FILLS, this.#fills)
    this.#sums('onceward_retries_refused_total', 'Attempts that failed and were followed by no other, by why.', 'reason', Object.keys(GAVE_UP), this.#givenUp)
    this.#sums('onceward_trace_spans_dropped_total', 'Spans that were recorded and not exported, by why.', 'reason', DROPPED_SPANS, this.#droppedSpans)
    const registers = [this.#registry]
    this.#retries = new Counter({ name: 'retry_attempt_total', help: 'Retries sent upstream; 1 is the first retry.', labelNames: ['attempt', 'route'], registers })
    this.#delays = new Histogram({ name: 'retry_delay_seconds', help: 'Delays before retries.', labelNames: ['route'], buckets: DELAY_BUCKETS_S, registers })
    this.relay = new RelayMetrics(this.#registry)
    this.source = new SourceMetrics(this.#registry)
    this.shadow = new ShadowMetrics(this.#registry)
    this.#uncertain = new Gauge({ name: 'onceward_uncertain_keys', help: 'Keys whose outcome nobody knows.', registers })
    this.#inFlight = new Gauge({ name: 'onceward_in_flight_keys', help: 'Keys that are claimed and not settled.', registers })
    this.#reloads = new Counter({ name: 'onceward_config_reloads_total', help: 'Reloads of the configuration by how they ended.', labelNames: ['result'], registers })
    this.#lastReload = new Gauge({ name: 'onceward_config_last_reload_successful', help: '0 after a reload that was refused: the routes in force are older than the file.', registers })
    for (const result of RELOADS) this.#reloads.inc({ result }, 0)
    this.#lastReload.set(1)
    this.routes(routes)
  }

  routes(names: readonly string[]): void {
    this.#mismatches.begin(names)
    for (const route of names) {
      for (const outcome of OUTCOMES) this.#keys.add(0, outcome, route)
      for (const kind of CLASSES) for (const method of METHODS) this.#answers.add(0, kind, method, route)
      for (const attempt of ATTEMPTS) this.#retries.inc({ attempt, route }, 0)
      for (const timings of Object.values(this.#timed)) timings.begin([route])
      if (!this.#known.has(route)) this.#delays.zero({ route })
      this.#known.add(route)
      this.#unguarded.add(0, route)
      this.#failedOpen.add(0, route)
      for (const end of PROBE_ENDS) this.#probed.add(0, end, route)
    }
  }

  mismatch(client: string, part: DifferingPart, route: string): void {
    this.#mismatches.add(client, part, route)
  }

  reloaded(result: ReloadResult): void {
    this.#reloads.inc({ result })
    this.#lastReload.set(result === 'reloaded' ? 1 : 0)
  }

  key(outcome: KeyOutcome, route: string, traceId: string | null): void {
    this.#keys.add(1, outcome, route)
    if (traceId !== null) this.#keyExamples.set(exampleName(outcome, route), { traceId, value: 1, at: this.#wallMs() / 1000 })
  }

  took(what: Timed, ms: number, route: string, traceId: string | null): void {
    this.#timed[what].note(ms, route, traceId, this.#wallMs)
  }

  /** These statements are what this store has: their series begin at 0. */
  statements(names: readonly StoreStatement[]): void {
    this.#store.begin(names)
  }

  storeTook(statement: StoreStatement, ms: number): void {
    this.#store.note(ms, statement, null, this.#wallMs)
  }

  answered(status: number, method: string, route: string): void {
    const kind = status === 504 ? 'timeout' : status < 300 ? '2xx' : status < 400 ? '3xx' : status < 500 ? '4xx' : '5xx'
    this.#answers.add(1, kind, METHODS.includes(method) ? method : 'other', route)
  }

  unguarded(route: string): void {
    this.#unguarded.add(1, route)
  }

  failedOpen(route: string): void {
    this.#failedOpen.add(1, route)
  }

  probed(end: (typeof PROBE_ENDS)[number], route: string): void {
    this.#probed.add(1, end, route)
  }

  limited(limit: LimitName): void {
    this.#limited.add(1, limit)
  }

  cacheHit(tier: ReplyTier): void {
    this.#hits.add(1, tier)
  }

  cacheMiss(why: CacheMiss): void {
    this.#misses.add(1, why)
  }

  cacheFill(end: CacheFill): void {
    this.#fills.add(1, end)
  }

  retried(retry: number, delayMs: number, route: string): void {
    this.#retries.inc({ attempt: ATTEMPTS[Math.min(retry, ATTEMPTS.length) - 1] ?? '4+', route })
    this.#delays.observe({ route }, delayMs / 1000)
  }

  gaveUp(why: GaveUp): void {
    this.#givenUp.add(1, why)
  }

  spansDropped(why: DroppedSpans, spans: number): void {
    this.#droppedSpans.add(spans, why)
  }

  /** A gauge of everything that `read` names, under one label, when somebody scrapes. */
  observeEach(name: `onceward_${string}`, help: string, label: string, read: () => Iterable<readonly [string, number]>): void {
    this.#registry.registerMetric(new Gauge({ name, help, labelNames: [label], registers: [], collect() { for (const [value, amount] of read()) this.set({ [label]: value }, amount) } }))
  }

  /** A gauge without labels that is read when somebody scrapes. */
  observe(name: `onceward_${string}`, help: string, read: () => number): void {
    this.#registry.registerMetric(new Gauge({ name, help, registers: [], collect() { this.set(read()) } }))
  }

  census(census: Census): void {
    this.#uncertain.set(census.uncertain)
    this.#inFlight.set(census.inFlight)
  }

  /** A counter of a table with one label, whose values all begin at 0. */
  #sums(name: `onceward_${string}`, help: string, label: string, values: readonly string[], table: Table): void {
    for (const value of values) table.add(0, value)
    this.#registry.registerMetric(new Counter({ name, help, labelNames: [label], registers: [], collect() { table.pourInto(this, [label]) } }))
  }

  /** What this process costs, by the names that all exporters have for it, and which build it is. Called once. */
  ofProcess(version: string, node: string): void {
    collectDefaultMetrics({ register: this.#registry })
    new Gauge({ name: 'onceward_build_info', help: '1, with the version of this process and of its node.', labelNames: ['version', 'node'], registers: [this.#registry] }).set({ version, node }, 1)
  }

  /** In the format that this Accept field asks for. */
  async render(accept?: string): Promise<{ readonly type: string, readonly text: string }> {
    const format = formatFor(accept)
    return { type: CONTENT_TYPES[format], text: textOf(await this.families(), format) }
  }

  async families(): Promise<readonly Family[]> {
    const registered = await familiesOf(this.#registry)
    return [...registered.map((family) => (family.name === 'idempotency_key_total' ? this.#withExamples(family) : family)), ...[...Object.values(this.#timed), this.#store].map((timings) => timings.family())]
  }

  #withExamples(family: Family): Family {
    return { ...family, samples: family.samples.map((sample) => ({ ...sample, example: this.#keyExamples.get(exampleName(String(sample.labels['outcome']), String(sample.labels['route']))) ?? null })) }
  }
}

function exampleName(outcome: string, route: string): string {
  return `${outcome} ${route}`
}

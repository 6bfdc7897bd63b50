import { Breaker } from '../../src/core/breaker.ts'
import { RetryBudget } from '../../src/core/budget.ts'
import { NO_TRACER } from '../../src/core/tracing.ts'
import { Roster } from '../../src/core/roster.ts'
import type { Route } from '../../src/core/route.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Attempt, AttemptLimits, Clock, KeyStore, Upstream, UpstreamRequest, Wakeups } from '../../src/core/ports.ts'
import { admit } from '../../src/request/admit.ts'
import { Completions } from '../../src/request/completion.ts'
import type { Answer, Call } from '../../src/request/call.ts'
import type { Executed } from '../../src/core/operations.ts'
import { execute, MissingRoutes } from '../../src/request/execute.ts'
import { handle, type FlowDependencies } from '../../src/request/handle.ts'
import { Inquiries } from '../../src/request/probe.ts'
import { LeaseKeeper } from '../../src/request/lease.ts'
import type { Abortable } from '../../src/request/retry-loop.ts'
import { RetryPools } from '../../src/request/retry-pools.ts'
import { OutageLog } from '../../src/request/unprotected.ts'
import { Watch } from '../../src/request/watch.ts'
import { NotedJournal, NotedMeter } from './quiet.ts'

export interface FlowOfOneProcess {
  readonly deps: FlowDependencies
  readonly journal: NotedJournal
  readonly meter: NotedMeter
  /** sinks that were told of events */
  readonly rung: readonly string[]
  /** executes what was accepted, under the routes of the file, or under others */
  execute(payload: Uint8Array, more?: { readonly routes?: readonly Route[], readonly draining?: boolean }): Promise<Executed>
  readonly routes: readonly Route[]
  /** One request with this key and body; `forgotten` is told when its body was given up. */
  send(key: string, more?: { readonly body?: string, readonly forgotten?: () => void, readonly method?: string, readonly fields?: readonly string[] }): Promise<Answer>
}

/** Flow one of one process over a store that may be shared, without a wire: no listener, and an upstream that is a function. */
export async function flowOver(store: KeyStore, options: { readonly yaml: string, readonly clock: Clock, readonly wakeups: Wakeups | null, readonly attempt: (request: UpstreamRequest, limits: AttemptLimits) => Attempt, readonly uniform?: () => number }): Promise<FlowOfOneProcess> {
  const { clock, wakeups } = options
  const loaded = await loadConfig({ file: { name: 'flow.yaml', text: options.yaml }, flags: { upstream: 'http://127.0.0.1:1' }, environment: {} })
  if (loaded.kind === 'faulty') throw new Error(loaded.mistakes.map((mistake) => JSON.stringify(mistake)).join('\n'))
  const { routes, limits, service } = loaded.config
  const journal = new NotedJournal()
  const meter = new NotedMeter()
  let tokens = 0
  const random = { uniform: options.uniform ?? (() => 0.5), token: (bytes: number) => `${tokens += 1}`.padStart(bytes, Math.random().toString(36).slice(2)) }
  const upstream: Upstream = { attempt: options.attempt, handshake: () => { throw new Error('no handshakes here') }, use: () => ({ busy: 0, idle: 0, waiting: 0 }), close: () => Promise.resolve() }
  const underWay = new Roster<Abortable>()
  const rung: string[] = []
  const missing = new MissingRoutes()
  const watch = new Watch({ store, wakeups, clock, random })
  const bell = { ring: (sink: string) => { rung.push(sink) } }
  const deps: FlowDependencies = {
    inquiries: new Inquiries({ store, bell, service, upstream, clock, random, meter, journal, underWay, limits, routes: () => routes, stopping: () => false }),
    store, bell, upstream, clock, random, journal, limits,
    replies: { recall: () => undefined },
    meter,
    namespace: { secret: 'secret', service },
    leases: new LeaseKeeper(store, clock, journal),
    flights: new Map(),
    outages: new OutageLog(clock, journal),
    watch, completions: new Completions({ watch, clock }), operations: { current: loaded.config.operations },
    underWay,
    pools: new RetryPools(loaded.config.budgets, (_, settings) => new RetryBudget(settings, clock)),
    breaker: loaded.config.breaker === null ? null : new Breaker(loaded.config.breaker),
    stopping: () => false,
    unsettled: new Roster(),
    life: { over: false },
    checkpoint: null,
  }
  return {
    deps, journal, meter, rung, routes,
    execute: (payload, more = {}) => execute(payload, { ...deps, routes: () => more.routes ?? routes, missing, tracer: NO_TRACER, hop: { pseudonym: 'executor', host: null, forwarded: false }, draining: () => more.draining ?? false }),
    send(key, { body = '{"amount":1}', forgotten = () => undefined, method = 'POST', fields = [] } = {}) {
      const call: Call = {
        method, target: '/v1/charges', fields: ['Content-Type', 'application/json', 'Authorization', 'Bearer one', 'Idempotency-Key', key, ...fields],
        trace: null,
    hop: { peer: '127.0.0.1', trusted: false, secure: false, httpVersion: '1.1', pseudonym: 'test', host: null, forwarded: false },
        body: () => Promise.resolve({ kind: 'body', body: Buffer.from(body) }),
        forgetBody: forgotten, inform: () => undefined, gone: () => false,
      }
      const admission = admit(call, routes, { verify: () => { throw new Error('no tokens here') }, close: () => Promise.resolve() })
      if (admission instanceof Promise || admission.kind !== 'guarded') throw new Error('not guarded')
      return handle(call, admission, deps)
    },
  }
}

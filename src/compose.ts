import type { DestinationStream } from 'pino'
import { adminListener } from './admin/admin-listener.ts'
import { deadLetterResources } from './admin/api/dead-letters.ts'
import { keyResources } from './admin/api/keys.ts'
import { policyResources } from './admin/api/policies.ts'
import { shadowResources } from './admin/api/shadow.ts'
import { stateResources } from './admin/api/state.ts'
import { readVersion } from './cli/output.ts'
import { isLoopback } from './config/addresses.ts'
import type { Config } from './config/config.ts'
import type { Loaded } from './config/load.ts'
import { Breaker } from './core/breaker.ts'
import { RetryBudget } from './core/budget.ts'
import { StoreUnavailable, type Checkpoint, type Clock, type Journal, type KeyStore, type LoopDelay, type Upstream, type UpstreamUse } from './core/ports.ts'
import { proxyName } from './core/problem.ts'
import { Roster } from './core/roster.ts'
import { acceptsAny, shadowedNames } from './core/route.ts'
import { NO_TRACER } from './core/tracing.ts'
import { trustedPeers } from './core/trusted-peers.ts'
import { systemClock } from './host/clock.ts'
import { SystemLoopDelay } from './host/loop-delay.ts'
import { nodeVersion } from './host/node-version.ts'
import { systemRandom } from './host/random.ts'
import { JwtVerifier } from './identity/jwt.ts'
import { HeldBodies, HeldBody } from './listener/held-bodies.ts'
import { ProxyListener } from './listener/proxy-listener.ts'
import { openStore, type StoreSeams } from './open-store.ts'
import { Bell } from './relay/bell.ts'
import { Relays } from './relays.ts'
import { ACCEPT_HINT, reload } from './reload.ts'
import { Sources } from './sources.ts'
import { NO_ROUTE } from './request/admit.ts'
import { Completions } from './request/completion.ts'
import { execute, MissingRoutes } from './request/execute.ts'
import type { Rules } from './request/explanation.ts'
import { handle, type FlowDependencies } from './request/handle.ts'
import { askToSwitch, passOn, type PassingDependencies } from './request/pass-on.ts'
import { passRepeatedly, type RepeatingDependencies } from './request/pass-repeatedly.ts'
import { LeaseKeeper } from './request/lease.ts'
import { Policies } from './request/policies.ts'
import { Inquiries } from './request/probe.ts'
import type { Abortable, RetryDependencies } from './request/retry-loop.ts'
import { RetryPools } from './request/retry-pools.ts'
import { Shadow } from './request/shadow.ts'
import { ShadowQueue } from './request/shadow-queue.ts'
import { OutageLog } from './request/unprotected.ts'
import { Watch } from './request/watch.ts'
import { openJournal } from './telemetry/logger.ts'
import { Metrics } from './telemetry/metrics.ts'
import { openTracer } from './telemetry/trace-export.ts'
import { DoubtSweep } from './upkeep/doubt-sweep.ts'
import { KeyDesk } from './upkeep/key-desk.ts'
import { LetterDesk } from './upkeep/letter-desk.ts'
import { shadowSweep } from './upkeep/shadow-sweep.ts'
import { Upkeep } from './upkeep/upkeep.ts'
import { openHttpUpstream } from './upstream/http-upstream.ts'

/** What a test may put in place of the product's own. */
export interface Seams extends StoreSeams {
  readonly checkpoint?: Checkpoint
  readonly loopDelay?: Pick<LoopDelay, 'recentMs'>
}

export interface Sidecar {
  readonly address: string
  readonly adminAddress: string
  /** Puts the routes of another configuration in force, or says in log and metrics why not; nothing once it drains. */
  reload(load: () => Promise<Loaded>): Promise<void>
  /** Drains: refuses new connections, lets what runs settle within the grace, then lets go of everything. */
  stop(): Promise<void>
}

/** What settling may take after the grace, once all attempts were ended. */
const SETTLE_GRACE_MS = 5000

/** What the last spans have at least, however long the drain took. */
const FLUSH_MS = 1000

/** Enough for some hundred answers a second, and no load for anybody. */
const PROBE_CONNECTIONS = 8

const BREAKER_STATES = { 'closed': 0, 'half-open': 1, 'open': 2 } as const

/** The one place where concrete classes meet. Resolves once both listeners answer. */
export async function startSidecar(config: Config, log: DestinationStream, seams: Seams = {}): Promise<Sidecar> {
  const clock = systemClock()
  const random = systemRandom()
  const journal = openJournal(config.log, log, clock, random)
  for (const warning of config.warnings) journal.warn('config.warning', { warning })
  const meter = new Metrics([...config.routes.map((route) => route.name), NO_ROUTE], () => clock.wallMs())
  meter.ofProcess(readVersion(), nodeVersion())
  const tracer = config.tracing === null ? NO_TRACER : await openTracer(config.tracing, config.upstream, { clock, random, version: readVersion(), dropped: (why, spans) => meter.spansDropped(why, spans) })
  const { store, replies, wakeups, fleet, outbox, shadow: notes } = await openStore({ config, clock, random, meter, journal }, seams)
  const bell = new Bell(wakeups, clock)
  const relays = new Relays({ store: outbox, bell, clock, random, meter: meter.relay, journal, tracer })
  const sources = new Sources({ store: outbox, service: config.service, bell, clock, random, meter: meter.source, journal })
  const policies = await inForce(config, store, journal)
  await relays.start(config.sinks).catch(async (error: unknown) => {
    await relays.stop()
    await store.close()
    throw error
  })
  const secret = await store.secret(random.token(32))
  const connections = { origin: config.upstream.origin, connections: config.limits.upstreamConnections, connectTimeoutMs: config.limits.connectTimeoutMs }
  const upstream = openHttpUpstream(connections, clock)
  // Connections of their own: event streams on pass routes may hold theirs for hours.
  const passed = openHttpUpstream(connections, clock)
  // So are those of probes: nobody who asks about a doubt waits behind requests that made it, or they behind him.
  const asked = openHttpUpstream({ ...connections, connections: PROBE_CONNECTIONS }, clock)
  const leases = new LeaseKeeper(store, clock, journal)
  const tokens = new JwtVerifier(clock, journal)
  const underWay = new Roster<Abortable>()
  const passing = new Roster<Abortable>()
  const unsettled = new Roster<Promise<unknown>>()
  const pools = new RetryPools(config.budgets, (name, settings) => (settings.shared && fleet !== null ? fleet.budget(name, settings) : new RetryBudget(settings, clock)))
  const breaker = config.breaker === null ? null : new Breaker(config.breaker)
  const watch = new Watch({ store, wakeups, clock, random })
  const completions = new Completions({ watch, clock })
  const operations = { current: config.operations }
  const rules: { current: Rules } = { current: config }
  let stopping = false
  const retrying: RetryDependencies = { clock, random, meter, pools, breaker, underWay, stopping: () => stopping }
  const inquiries = new Inquiries({ store, bell, service: config.service, upstream: asked, clock, random, meter, journal, underWay, limits: config.limits, routes: () => policies.routes, stopping: () => stopping })
  const flow: FlowDependencies = {
    ...retrying, store, replies, upstream, meter, journal, leases, inquiries, bell, unsettled, life: { over: false },
    namespace: { secret, service: config.service },
    limits: config.limits,
    flights: new Map(),
    outages: new OutageLog(clock, journal),
    watch, completions, operations,
    checkpoint: seams.checkpoint ?? null,
  }
  const through: PassingDependencies = { upstream: passed, meter, clock, random, limits: config.limits, underWay: passing }
  const streaming: RepeatingDependencies = { ...retrying, upstream, limits: config.limits }
  const upkeep = new Upkeep(store, clock, meter, journal)
  const shadowQueue = new ShadowQueue(notes, clock, journal)
  const sweepOfNotes = shadowSweep(notes, clock, journal)
  const copies = new HeldBodies(Math.max(config.limits.requestBodyBytes, config.limits.heldBodiesBytes / 4))
  const shadow = new Shadow({ queue: shadowQueue, tokens, meter: meter.shadow, journal, clock, random, namespace: flow.namespace, limits: config.limits, copy: (most) => new HeldBody(copies, most) })
  meter.shadow.routes(shadowedNames(policies.routes))
  const doubts = new DoubtSweep({
    store, clock, random, journal,
    wanted: () => policies.routes.some(({ action }) => action.kind === 'guard' && action.policy.whenUnsure.kind === 'probe'),
    inquire: (doubt) => inquiries.inquire(doubt, { until: Infinity, questions: 1, mayFree: true }),
  })
  let draining = false
  const hop = {
    pseudonym: `onceward-${random.token(9)}`,
    host: config.upstreamHost === 'origin' ? new URL(connections.origin).host : null, forwarded: config.trust.forwarded === 'always',
  }
  const desk = new KeyDesk({ store, service: config.service, routes: () => policies.routes, clock, random })
  const admin = adminListener({
    metrics: (accept) => meter.render(accept), notReady: () => notReady(store, draining, policies),
    operators: { tokens: config.admin.tokens, loopback: isLoopback(config.admin.listen.host) }, version: readVersion(), journal,
    resources: [
      ...stateResources({
        keys: store, outbox, sinks: () => relays.sinks, notReady: () => notReady(store, draining, policies),
        about: { service: config.service, version: readVersion(), node: nodeVersion(), startedAt: clock.wallMs(), store: config.store.postgres === null ? 'embedded' : 'postgres', redis: config.store.redis !== null },
      }),
      ...keyResources({ store, desk, keptReplyBytes: config.limits.keptReplyBytes }),
      ...shadowResources(meter.shadow),
      ...policyResources({ rules: () => rules.current, tokens }),
      ...deadLetterResources({ store: outbox, desk: new LetterDesk(outbox, clock) }),
    ],
  })
  const systemDelay = new SystemLoopDelay()
  const loopDelay = seams.loopDelay ?? systemDelay
  const proxy = new ProxyListener({
    origin: connections.origin, policies, tokens, tracer, limits: config.limits, loopDelay,
    hop: { ...hop, trusts: trustedPeers(config.trust.proxies) },
    lookup: { store, outbox, tokens, completions, clock, namespace: flow.namespace, operations, routes: () => policies.routes },
    proxyName: proxyName(config.service),
    handle: (call, admitted) => handle(call, admitted, flow),
    pass: (call, route) => passOn(call, route, null, through),
    stream: (call, { deadlineMs, retry }, route) => (retry === null || deadlineMs === null ? passOn(call, route, deadlineMs, streaming) : passRepeatedly(call, { route, deadlineMs, retry }, streaming)),
    askToSwitch: (call, protocol) => askToSwitch(call, protocol, through),
    shadow, meter, journal, clock,
  })
  meter.observe('onceward_held_body_bytes', 'Memory taken by bodies of requests with a key.', () => proxy.heldBytes)
  meter.observe('onceward_client_connections', 'Connections of clients, idle ones included.', () => proxy.connections)
  meter.observe('onceward_event_loop_delay_seconds', 'Delay of the event loop over the last second: the mean without the worst turn.', () => loopDelay.recentMs() / 1000)
  meter.observeEach('onceward_upstream_connections', 'Connections to the upstream.', 'state', () => useOf(upstream, passed).connections)
  meter.observe('onceward_upstream_waiting_requests', 'Requests that wait for a connection to the upstream.', () => useOf(upstream, passed).waiting)
  meter.observeEach('onceward_retry_budget_balance', 'Retries that this process could pay for now, by budget.', 'budget', () => pools.balances())
  meter.observeEach('onceward_retries_in_flight', 'Retries under way, their delays included, by the budget that paid for them.', 'budget', () => pools.underWay())
  meter.observe('onceward_breaker_state', 'Whether the upstream is asked: 0 yes, 1 one request finds out, 2 no.', () => (breaker === null ? 0 : BREAKER_STATES[breaker.state]))
  meter.observeEach('onceward_source_lag_seconds', 'For how long rows of an application\'s outbox table have been waiting to be taken, because something below them is missing, they are many, or the table cannot be read; 0 where another process reads.', 'source', () => sources.lags())
  systemDelay.start()
  await upkeep.runOnce()
  upkeep.start()
  doubts.start()
  sweepOfNotes.start()
  await sources.adopt(config.sources)
  const adminAddress = await admin.listen(config.admin.listen)
  const execution = { ...flow, routes: () => policies.routes, missing: new MissingRoutes(), tracer, hop, draining: () => draining }
  await relays.execute({ execute: (payload) => execute(payload, execution) }, { operations: config.operations, accepts: acceptsAny(config.routes) })
  const address = await proxy.listen(config.listen)
  journal.info('sidecar.ready', { address, admin: adminAddress, upstream: connections.origin })

  let stopped: Promise<void> | null = null
  let reloaded = Promise.resolve()
  return {
    address, adminAddress,
    // one at a time, each reading the file when it is its turn, so that the last one asked for has the last word
    reload: (load) => reloaded = reloaded.then(() => draining ? undefined : reload(load, { running: config, policies, pools, relays, sources, operations, rules, meter, shadowed: meter.shadow, journal })),
    stop: () => stopped ??= stop(),
  }

  async function stop(): Promise<void> {
    draining = true
    const stopsAt = clock.monotonicMs() + config.shutdownGraceMs
    journal.info('sidecar.draining', { unsettled: unsettled.size })
    const executed = relays.stopExecuting(config.shutdownGraceMs + SETTLE_GRACE_MS)
    completions.stop()
    const drained = proxy.drain()
    await within(config.shutdownGraceMs, clock, async () => {
      await drained
      await settledAll(unsettled)
    })
    flow.watch.stop()
    stopping = true
    for (const attempt of [...underWay, ...passing]) attempt.abort('shutdown')
    await within(SETTLE_GRACE_MS, clock, () => settledAll(unsettled))
    await proxy.close()
    await executed
    await sources.stop()
    await relays.stop()
    await upkeep.stop()
    await doubts.stop()
    await sweepOfNotes.stop()
    systemDelay.stop()
    leases.stop()
    pools.close()
    await upstream.close()
    await asked.close()
    await tokens.close()
    await passed.close()
    await wakeups.close()
    flow.life.over = true
    await within(SETTLE_GRACE_MS, clock, () => shadowQueue.stop())
    await store.close()
    await admin.close()
    await tracer.stop(Math.max(FLUSH_MS, stopsAt - clock.monotonicMs()))
    journal.info('sidecar.stopped', { unsettled: unsettled.size })
  }
}

/** Guarded requests and passed ones have connections of their own; together they are what the upstream sees. */
function useOf(...upstreams: readonly Pick<Upstream, 'use'>[]): { readonly connections: readonly (readonly [string, number])[], readonly waiting: number } {
  const uses = upstreams.map((upstream) => upstream.use())
  const sum = (read: (use: UpstreamUse) => number): number => uses.reduce((all, use) => all + read(use), 0)
  return { connections: [['busy', sum(({ busy }) => busy)], ['idle', sum(({ idle }) => idle)]], waiting: sum(({ waiting }) => waiting) }
}

/** The configuration's own routes, unless the store has keys that they would free. */
async function inForce(config: Config, store: KeyStore, journal: Journal): Promise<Policies> {
  const policies = new Policies(store)
  const { kind, freed } = await policies.adopt({ routes: config.routes, keySpace: config.keySpace, mayFreeOldKeys: config.accept.has('frees-old-keys') })
  if (kind === 'refused') {
    await store.close()
    throw new Error(`with this configuration old keys would be free again: ${freed.join('; ')}. Put back what has changed, or, ${ACCEPT_HINT}`)
  }
  for (const way of freed) journal.warn('config.warning', { warning: `old keys are free again: ${way}` })
  return policies
}

/** Where a route goes on without the store, nobody may be kept from reaching it because the store is gone. */
async function notReady(store: KeyStore, draining: boolean, policies: Policies): Promise<string[]> {
  if (draining) return ['draining']
  try {
    await store.census()
    return []
  } catch (error) {
    if (error instanceof StoreUnavailable) return policies.routes.some(({ action }) => action.kind === 'guard' && action.policy.storeOutage === 'open') ? [] : ['store unavailable']
    throw error
  }
}

/** Flights outlive their clients' connections, so the open responses do not tell of all of them. */
async function settledAll(unsettled: Roster<Promise<unknown>>): Promise<void> {
  while (unsettled.size > 0) await Promise.race(unsettled)
}

/** Waits for `work`, but not longer than `ms`. */
function within(ms: number, clock: Clock, work: () => Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve)
    void work().finally(() => {
      cancel()
      resolve()
    })
  })
}

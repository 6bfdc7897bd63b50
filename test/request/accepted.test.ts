import { test } from 'tap'
import type { AttemptOutcome, StreamedBody } from '../../src/core/attempt.ts'
import type { Executed } from '../../src/core/operations.ts'
import { StoreUnavailable, type KeyStore, type UpstreamRequest } from '../../src/core/ports.ts'
import type { KeyRecord } from '../../src/core/record.ts'
import type { Route } from '../../src/core/route.ts'
import { accept } from '../../src/request/accept.ts'
import { admit, capture } from '../../src/request/admit.ts'
import type { Answer, Call } from '../../src/request/call.ts'
import { replacing } from '../chaos/sabotage.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { flowOver, type FlowOfOneProcess } from '../support/flow.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'

const SEALING = `store: { sealing: { keys: [{ id: one, secret: "${Buffer.alloc(32, 1).toString('base64')}" }] } }`
const yaml = (route = '', more = ''): string => `${SEALING}\n${more}\nroutes:\n  - name: create-charge\n    match: { method: POST, path: /v1/charges }\n    async: allowed\n    retry: { attempts: 1 }\n    ${route}\n`

const NO_ROUTES: readonly Route[] = []
const ASYNC = { fields: ['Prefer', 'respond-async'] }
const OK: AttemptOutcome = { kind: 'answered', reply: { kind: 'whole', reply: { status: 201, headers: ['X-Made', '1'], body: Buffer.from('made'), trailers: [] } } }
const LOST: AttemptOutcome = { kind: 'lost', cause: 'connection-lost', reply: null }

interface Scene {
  readonly clock: FakeClock
  readonly store: MemoryKeyStore
  readonly flow: FlowOfOneProcess
  readonly sent: readonly UpstreamRequest[]
  /** the payload of the only request that was accepted */
  readonly payload: () => Uint8Array
  readonly record: () => Promise<KeyRecord>
}

async function scene(outcomes: readonly AttemptOutcome[] = [OK], options: { readonly yaml?: string, readonly through?: (store: KeyStore) => KeyStore } = {}): Promise<Scene> {
  const clock = new FakeClock()
  const store = new MemoryKeyStore(clock)
  const sent: UpstreamRequest[] = []
  let kept: Uint8Array | undefined
  const flow = await flowOver(options.through?.(store) ?? store, {
    yaml: options.yaml ?? yaml(), clock, wakeups: null,
    attempt: (request) => {
      const outcome = outcomes[Math.min(sent.length, outcomes.length - 1)] ?? OK
      sent.push(request)
      return { outcome: Promise.resolve(outcome), abort: () => undefined }
    },
  })
  return {
    clock, store, flow, sent,
    payload: () => kept ??= store.events[0]?.payload ?? new Uint8Array(), // what somebody resolved is no event any more
    record: async () => {
      const [record] = await store.find({ operationRef: store.events[0]?.id ?? '' }, 1)
      if (record === undefined) throw new Error('there is no record')
      return record
    },
  }
}

/** Runs it out, whatever it waits for. */
async function ran<T>(clock: FakeClock, work: Promise<T>, ms = 10): Promise<T> {
  for (let i = 0; i < 30; i += 1) await clock.advance(ms)
  return await work
}

test('what is accepted is stored with its key, and nothing is sent', async (t) => {
  const { store, flow, sent, record, clock } = await scene()
  const answer = await ran(clock, flow.send('k1', ASYNC))
  t.match(answer, { kind: 'accepted', applied: ['respond-async'], retryAfterMs: 1000 })
  t.equal(sent.length, 0)
  const { state, accepted, operationRef, fence } = await record()
  t.strictSame([state, fence], ['accepted', 1])
  t.match(store.events, [{ id: operationRef, sink: 'operations', lane: `${accepted?.owner}.${operationRef}`, flaw: null }])
  t.match(accepted?.owner, /^[A-Za-z0-9_-]{22}$/)
  t.strictSame(flow.rung, ['operations'])
  t.match(await ran(clock, flow.send('k1')), { kind: 'accepted', applied: [] }, 'a repetition that does not ask')
  t.equal(store.events.length, 1)
})

test('executed, it is completed as any request is: same key, fields as sent, our own signature', async (t) => {
  const { flow, sent, payload, record, clock } = await scene()
  await ran(clock, flow.send('k1', { fields: ['Prefer', 'respond-async', 'X-Odd', '\xe9'], body: '{"a":1}' }))
  t.strictSame(await ran(clock, flow.execute(payload())), { kind: 'completed' })
  const [request] = sent
  t.match(request, { method: 'POST', target: '/v1/charges' })
  t.equal(Buffer.from(request?.body as Uint8Array).toString(), '{"a":1}')
  t.match(request?.fields.join('\n'), /Idempotency-Key\nk1\nX-Odd\n\xe9\n[^]*Via\n1\.1 executor/)
  t.match(await record(), { state: 'completed', attempts: 1, fence: 2, reply: { kind: 'kept', reply: { status: 201 } } })
  t.match(await ran(clock, flow.send('k1', { ...ASYNC, body: '{"a":1}' })), { kind: 'replay', reply: { status: 201 } })
  t.ok(flow.journal.events.includes('operation.executed'))
  t.strictSame(await ran(clock, flow.execute(payload())), { kind: 'completed' }, 'handed over once more')
  t.equal(sent.length, 1)
})

test('the events of the route leave with the completion', async (t) => {
  const outbox = 'outbox: { sink: hook, type: charge.created, lane: "{body:/customer}", data: { made: "{status}" } }'
  const { flow, store, payload, clock } = await scene([OK], { yaml: yaml(outbox, `sinks: { hook: { webhook: { url: "https://hooks.example.com", secrets: ["whsec_${Buffer.alloc(32).toString('base64')}"] } } }`) })
  await ran(clock, flow.send('k1', { ...ASYNC, body: '{"customer":"c-1"}' }))
  await ran(clock, flow.execute(payload()))
  t.match(store.events.slice(1), [{ sink: 'hook', lane: 'c-1', type: 'charge.created', flaw: null }])
  t.strictSame(flow.rung, ['operations', 'hook'])
})

const RELEASED: readonly (readonly [string, AttemptOutcome, Executed])[] = [
  ['429', { kind: 'refused', reply: whole(429, ['Retry-After', '7']) }, { kind: 'released', cause: 'the upstream answered 429', blame: 'event', notBeforeMs: 7000 }],
  ['503', { kind: 'refused', reply: whole(503, ['Retry-After', '7']) }, { kind: 'released', cause: 'the upstream answered 503', blame: 'sink', notBeforeMs: 7000 }],
  ['503 for a year, which would keep everything that waits', { kind: 'refused', reply: whole(503, ['Retry-After', '31536000']) }, { kind: 'released', cause: 'the upstream answered 503', blame: 'sink', notBeforeMs: 3_600_000 }],
  ['401', { kind: 'answered', reply: whole(401) }, { kind: 'released', cause: 'the upstream answered 401', blame: 'event', notBeforeMs: null }],
  ['no connection', { kind: 'not_sent', cause: 'connect-refused' }, { kind: 'released', cause: 'not sent: connect-refused', blame: 'sink', notBeforeMs: null }],
  ['a deadline before it was sent', { kind: 'aborted', by: 'deadline', sent: false }, { kind: 'released', cause: 'ended before it was sent: deadline', blame: 'sink', notBeforeMs: null }],
]

for (const [what, outcome, executed] of RELEASED) {
  test(`what the service did not do goes back to be executed: ${what}`, async (t) => {
    const { flow, payload, record, clock } = await scene([outcome, OK])
    await ran(clock, flow.send('k1', ASYNC))
    t.strictSame(await ran(clock, flow.execute(payload())), executed)
    t.match(await record(), { state: 'accepted', fence: 2 })
    t.match(await ran(clock, flow.send('k1')), { kind: 'accepted' }, 'its key is kept')
    t.strictSame(await ran(clock, flow.execute(payload())), { kind: 'completed' })
  })
}

test('a shutdown before it was sent leaves it where it was, uncounted', async (t) => {
  const { flow, payload, record, clock } = await scene([{ kind: 'aborted', by: 'shutdown', sent: false }])
  await ran(clock, flow.send('k1', ASYNC))
  t.match(await ran(clock, flow.execute(payload())), { kind: 'waiting', why: 'draining' })
  t.equal((await record()).state, 'accepted')
})

test('I4 Doubt is a state: under hold it is never begun again, however often it is handed over', async (t) => {
  const { flow, payload, record, clock, sent } = await scene([LOST, OK])
  await ran(clock, flow.send('k1', ASYNC))
  for (let i = 0; i < 3; i += 1) t.strictSame(await ran(clock, flow.execute(payload())), { kind: 'doubt', cause: 'connection-lost' })
  t.match(await record(), { state: 'uncertain', cause: 'connection-lost' })
  t.equal(sent.length, 1)
})

test('what somebody found not executed is begun once more; what somebody completed is not', async (t) => {
  for (const as of ['not-executed', 'completed'] as const) {
    const { flow, store, payload, record, clock, sent } = await scene([LOST, OK])
    await ran(clock, flow.send('k1', ASYNC))
    await ran(clock, flow.execute(payload()))
    const { id, fence, operationRef } = await record()
    await ran(clock, store.resolve(id, fence, as === 'completed' ? { as, reply: { kind: 'not-kept', status: 201 }, events: [] } : { as, operationRef }, null))
    t.strictSame(await ran(clock, flow.execute(payload())), { kind: 'completed' })
    t.equal(sent.length, as === 'completed' ? 1 : 2, as)
  }
})

test('under resend it is sent again, marked as a repetition, for as long as the service remembers the key', async (t) => {
  const { flow, payload, clock, sent } = await scene([LOST], { yaml: yaml('idempotency: { when_unsure: { resend: { within: 10s } } }') })
  await ran(clock, flow.send('k1', ASYNC))
  t.strictSame(await ran(clock, flow.execute(payload())), { kind: 'resent', cause: 'connection-lost' })
  t.strictSame(await ran(clock, flow.execute(payload())), { kind: 'resent', cause: 'connection-lost' })
  t.equal(sent.length, 2)
  t.ok(sent[1]?.fields.includes('Onceward-Attempt'))
  await clock.advance(20_000)
  t.strictSame(await ran(clock, flow.execute(payload())), { kind: 'doubt', cause: 'connection-lost' })
  t.equal(sent.length, 2, 'then it is left to somebody')
})

test('I1 One execution: what another process works on is left to it, and what it left behind is in doubt', async (t) => {
  const { flow, store, payload, record, clock, sent } = await scene()
  await ran(clock, flow.send('k1', ASYNC))
  const { id, operationRef } = await record()
  await ran(clock, store.begin({ id, operationRef, holder: 'another', leaseMs: 60_000, onOrphan: { kind: 'hold' } }))
  const busy = await ran(clock, flow.execute(payload()))
  t.match(busy, { kind: 'waiting', why: 'busy' })
  t.ok(busy.kind === 'waiting' && busy.againMs > 50_000 && busy.againMs < 62_000, 'until its lease has ended')
  await clock.advance(70_000)
  t.strictSame(await ran(clock, flow.execute(payload())), { kind: 'doubt', cause: 'lease-expired' })
  t.equal(sent.length, 0)
})

test('a begin of unknown result is asked until it is known, and one that was not written is left for later', async (t) => {
  let failures: ('no' | 'unknown')[] = ['no']
  const through = (own: KeyStore): KeyStore => replacing(own, {
    begin: async (request) => {
      const failure = failures.shift()
      if (failure === 'no') throw new StoreUnavailable('no', 'away')
      const begun = await own.begin(request)
      if (failure === 'unknown') throw new StoreUnavailable('unknown', 'the answer got lost')
      return begun
    },
  })
  const { flow, payload, record, clock, sent } = await scene([OK], { through })
  await ran(clock, flow.send('k1', ASYNC))
  t.match(await ran(clock, flow.execute(payload())), { kind: 'waiting', why: 'store' })
  t.equal((await record()).state, 'accepted')
  failures = ['unknown', 'unknown']
  t.strictSame(await ran(clock, flow.execute(payload()), 100), { kind: 'completed' }, 'no doubt is left of it')
  t.equal(sent.length, 1)
})

test('what cannot be executed here waits, and nothing is begun', async (t) => {
  const { flow, payload, record, clock, sent } = await scene()
  await ran(clock, flow.send('k1', ASYNC))
  t.match(await flow.execute(payload(), { draining: true }), { kind: 'waiting', why: 'draining' })
  t.match(await flow.execute(payload(), { routes: [] }), { kind: 'waiting', why: 'other-rules' })
  t.match(await flow.execute(payload(), { routes: flow.routes.map((route) => ({ ...route, action: { kind: 'pass', deadlineMs: null, retry: null } })) }), { kind: 'waiting', why: 'other-rules' })
  t.match(await flow.execute(payload().subarray(0, 10)), { kind: 'waiting', why: 'unreadable' })
  await flow.execute(payload(), { routes: NO_ROUTES })
  await flow.execute(payload(), { routes: NO_ROUTES })
  t.strictSame(flow.journal.events.filter((event) => event.startsWith('operation.')), ['operation.without-route', 'operation.without-route', 'operation.unreadable', 'operation.without-route'], 'once for each configuration')
  t.strictSame([(await record()).state, sent.length], ['accepted', 0])
  t.strictSame(await ran(clock, flow.execute(payload(), { routes: flow.routes.map((route) => (route.action.kind === 'guard' ? { ...route, action: { kind: 'guard', policy: { ...route.action.policy, accepts: 'off' } } } : route)) })), { kind: 'completed' }, 'a route that accepts no more executes what it had accepted')
})

test('while the upstream is left alone nothing is begun', async (t) => {
  const { flow, payload, record, clock, sent } = await scene([OK], { yaml: yaml('', 'breaker: { ratio: 0.5, min_attempts: 1, pause: 5s }') })
  await ran(clock, flow.send('k1', ASYNC))
  flow.deps.breaker?.note(true, clock.monotonicMs())
  t.match(await flow.execute(payload()), { kind: 'released', blame: 'sink', notBeforeMs: 5000 })
  t.strictSame([(await record()).state, sent.length], ['accepted', 0])
})

test('its key is somebody else\'s, or nobody\'s: there is nothing to execute', async (t) => {
  const { flow, store, payload, record, clock, sent } = await scene()
  await ran(clock, flow.send('k1', ASYNC))
  const { id } = await record()
  payload()
  await ran(clock, store.forget(id, { by: 'test', reason: 'test' }))
  t.strictSame(await ran(clock, flow.execute(payload())), { kind: 'gone' })
  await ran(clock, flow.send('k1'))
  t.strictSame(await ran(clock, flow.execute(payload())), { kind: 'gone' }, 'another operation has it')
  t.equal(sent.length, 1)
})

test('a reply that nobody reads holds no connection', async (t) => {
  let cancelled = 0
  const body: StreamedBody = { trailers: [], ready: () => false, cancel: () => { cancelled += 1 }, async *[Symbol.asyncIterator]() { yield* [] } }
  const { flow, payload, record, clock } = await scene([{ kind: 'answered', reply: { kind: 'streaming', status: 200, headers: [], body } }])
  await ran(clock, flow.send('k1', ASYNC))
  t.strictSame(await ran(clock, flow.execute(payload())), { kind: 'completed' })
  t.equal(cancelled, 1)
  t.match(await record(), { state: 'completed', reply: { kind: 'not-kept', status: 200 } })
})

test('who waits is told in the moment in which it is completed', async (t) => {
  const { flow, payload, clock } = await scene()
  const waiting = flow.send('k1', { fields: ['Prefer', 'respond-async, wait=100'] })
  await ran(clock, Promise.resolve())
  const answers: Answer[] = []
  void waiting.then((answer) => answers.push(answer))
  await flow.execute(payload())
  for (let i = 0; i < 5 && answers.length === 0; i += 1) await clock.advance(1)
  t.match(answers, [{ kind: 'fresh', reply: { kind: 'whole', reply: { status: 201, body: Buffer.from('made') } } }])
})

test('who waits longer than may be waited gets 202; a wait costs no body', async (t) => {
  let forgotten = 0
  const { flow, clock } = await scene([OK], { yaml: yaml('', 'operations: { longest_wait: 2s }') })
  const waiting = flow.send('k1', { fields: ['Prefer', 'respond-async', 'Prefer', 'wait=100'], forgotten: () => { forgotten += 1 } })
  await ran(clock, Promise.resolve())
  t.ok(forgotten > 0)
  t.match(await ran(clock, waiting, 100), { kind: 'accepted', applied: ['respond-async', 'wait=2'] })
})

test('a drain sends those away who wait', async (t) => {
  const { flow, clock } = await scene()
  const waiting = flow.send('k1', { fields: ['Prefer', 'respond-async, wait=60'] })
  await ran(clock, Promise.resolve())
  flow.deps.completions.stop()
  t.match(await ran(clock, waiting), { kind: 'accepted' })
  t.match(await ran(clock, flow.send('k2', { fields: ['Prefer', 'respond-async, wait=60'] })), { kind: 'accepted', applied: ['respond-async'] }, 'and nobody begins to')
})

test('a store that takes too long, and accepts after all, has said nothing of the kind', async (t) => {
  const accepting = Promise.withResolvers<undefined>()
  const through = (own: KeyStore): KeyStore => replacing(own, { accept: async (request, work) => {
    await accepting.promise
    return await own.accept(request, work)
  } })
  const { flow, store, clock } = await scene([OK], { yaml: yaml('idempotency: { claim_within: 100ms }'), through })
  const answer = await ran(clock, flow.send('k1', ASYNC))
  t.match(answer, { kind: 'problem', problem: { code: 'outcome-not-recorded' } })
  accepting.resolve(undefined)
  await ran(clock, Promise.resolve())
  t.equal(store.events.length, 1)
  t.strictSame(flow.rung, ['operations'], 'it is executed, and a repetition is told of it')
  t.match(await ran(clock, flow.send('k1', ASYNC)), { kind: 'accepted' })
})

test('the quota is of one identity, and what was accepted before is not asked for it', async (t) => {
  const { flow, clock } = await scene([OK], { yaml: yaml('idempotency: { scope: { header: x-tenant } }', 'operations: { quota: 2 }') })
  const ask = (key: string, tenant: string): Promise<Answer> => ran(clock, flow.send(key, { fields: ['Prefer', 'respond-async', 'X-Tenant', tenant] }))
  for (const key of ['a', 'b']) t.match(await ask(key, 'one'), { kind: 'accepted' })
  t.match(await ask('c', 'one'), { kind: 'problem', problem: { code: 'quota-exceeded', status: 429 } })
  t.match(await ask('b', 'one'), { kind: 'accepted' })
  t.match(await ask('c', 'two'), { kind: 'accepted' })
})

test('a request that was served at once is never accepted, and keeps its answer', async (t) => {
  const { flow, clock, store } = await scene()
  t.match(await ran(clock, flow.send('k1')), { kind: 'fresh' })
  t.match(await ran(clock, flow.send('k1', ASYNC)), { kind: 'replay', reply: { status: 201 } })
  t.match(await ran(clock, flow.send('k1', { ...ASYNC, body: 'another' })), { kind: 'problem', problem: { code: 'key-reused' } })
  t.equal(store.events.length, 0)
})

function whole(status: number, headers: readonly string[] = []) {
  return { kind: 'whole', reply: { status, headers: [...headers], body: new Uint8Array(), trailers: [] } } as const
}

test('a client that waits for the reply of what it sent holds its connection, and no body', async (t) => {
  const { flow, clock, store } = await scene()
  const call: Call = {
    method: 'POST', target: '/v1/charges', fields: ['Authorization', 'Bearer one', 'Idempotency-Key', 'k1', 'Prefer', 'respond-async, wait=5'],
    trace: null,
    hop: { peer: '127.0.0.1', trusted: false, secure: false, httpVersion: '1.1', pseudonym: 'test', host: null, forwarded: false },
    body: () => Promise.reject(new Error('it was read')), forgetBody: () => undefined, inform: () => undefined, gone: () => false,
  }
  const admitted = await admit(call, flow.routes, { verify: () => { throw new Error('no tokens here') }, close: () => Promise.resolve() })
  if (admitted.kind !== 'guarded') throw new Error('not guarded')
  const entry = capture({ kind: 'body', body: Buffer.alloc(1000) }, call, admitted, flow.deps)
  if (entry.kind !== 'guarded') throw new Error('not captured')
  const ending = accept(entry, { asked: true, waitMs: 5000 }, flow.deps)
  await clock.advance(100)
  t.equal(store.events.length, 1, 'it was accepted')
  t.equal(entry.body.length, 0)
  t.match(await ran(clock, ending, 500), { answer: { kind: 'accepted' } })
})

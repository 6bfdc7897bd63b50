import { test } from 'tap'
import type { AttemptOutcome, UpstreamReply } from '../../src/core/attempt.ts'
import type { OutboxEvent } from '../../src/core/event.ts'
import { StoreUnavailable } from '../../src/core/ports.ts'
import type { Reply } from '../../src/core/reply.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { flowOver, type FlowOfOneProcess } from '../support/flow.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'

const YAML = `
sinks:
  payments: { webhook: { url: "https://hooks.example.com", secrets: ["whsec_${Buffer.alloc(32).toString('base64')}"] } }
routes:
  - name: create-charge
    match: { method: POST, path: /v1/charges }
    outbox:
      - { sink: payments, type: charge.created, lane: "{body:/customer}", data: { id: "{reply:/id}", amount: "{body:/amount}" } }
      - { on: [4xx, 5xx], sink: payments, type: charge.failed, data: { status: "{status}" } }
`
const BODY = '{"customer":"c-7","amount":12.50}'

function answered(status: number, body: string, headers: readonly string[] = ['Content-Type', 'application/json']): AttemptOutcome {
  const reply: Reply = { status, headers: [...headers], body: Buffer.from(body), trailers: [] }
  return { kind: 'answered', reply: { kind: 'whole', reply } }
}

async function scene(outcome: AttemptOutcome, options: { readonly afterMs?: number, readonly yaml?: string } = {}) {
  const clock = new FakeClock()
  const store = new MemoryKeyStore(clock)
  let attempts = 0
  const flow = await flowOver(store, {
    yaml: options.yaml ?? YAML, clock, wakeups: null,
    attempt: () => {
      attempts += 1
      const { promise, resolve } = Promise.withResolvers<AttemptOutcome>()
      clock.after(options.afterMs ?? 0, () => resolve(outcome))
      return { outcome: promise, abort: () => undefined }
    },
  })
  return { clock, store, flow, attempts: () => attempts }
}

async function sent(clock: FakeClock, flow: FlowOfOneProcess, key: string, body = BODY): Promise<void> {
  const answer = flow.send(key, { body })
  for (let i = 0; i < 10; i += 1) await clock.advance(10)
  await answer
}

function said({ payload }: OutboxEvent): unknown {
  return JSON.parse(Buffer.from(payload).toString())
}

test('a completed request commits its event, in the lane of its customer, and its sink is told', async (t) => {
  const { clock, store, flow } = await scene(answered(201, '{"id":"ch_1"}'))
  await sent(clock, flow, 'k1')
  const [record] = await store.find({ state: 'uncertain' }, 1)
  t.equal(record, undefined)
  t.equal(store.events.length, 1)
  const [event] = store.events
  if (event === undefined) throw new Error('there is one')
  t.match(event, { id: /^evt_op_/, sink: 'payments', lane: 'c-7', type: 'charge.created', flaw: null })
  t.match(said(event), { source: 'urn:onceward:default', id: event.id, partitionkey: 'c-7', data: { id: 'ch_1', amount: 12.5 } })
  t.match(Buffer.from(event.payload).toString(), '"amount":12.50')
  t.strictSame(flow.rung, ['payments'])
  await sent(clock, flow, 'k1')
  t.equal(store.events.length, 1, 'a replay brings none')
})

test('what is released, and what is in doubt, brings no event', async (t) => {
  for (const outcome of [answered(401, '{}'), { kind: 'refused', reply: whole(429) }, { kind: 'lost', cause: 'connection-lost', reply: null }, { kind: 'lost', cause: 'ambiguous-status', reply: whole(502) }] satisfies AttemptOutcome[]) {
    const { clock, store, flow } = await scene(outcome, { yaml: `${YAML}\n    retry: { attempts: 1 }` })
    await sent(clock, flow, 'k1')
    t.strictSame([store.events, flow.rung], [[], []])
  }
})

test('the stored status says which policy is meant', async (t) => {
  const { clock, store, flow } = await scene(answered(402, '{"error":"card"}'))
  await sent(clock, flow, 'k1')
  t.match(store.events, [{ id: /^evt_op_.*_2$/, type: 'charge.failed', flaw: null }])
})

test('a request that lacks what its event needs runs all the same, and its event has a flaw', async (t) => {
  const { clock, store, flow, attempts } = await scene(answered(201, '{"id":"ch_1"}'))
  await sent(clock, flow, 'k1', 'no json')
  await sent(clock, flow, 'k2', '{"customer":"c-7"}')
  t.equal(attempts(), 2)
  t.match(store.events, [{ lane: /^op_/, flaw: /^lane: \{body:\/customer\}: the body of the request is no JSON/ }, { lane: 'c-7', flaw: /^data\.amount: / }])
  t.strictSame(flow.rung, [], 'nobody can deliver them')
})

test('a completion after the deadline brings its event, too', async (t) => {
  const { clock, store, flow } = await scene(answered(201, '{"id":"ch_1"}'), { afterMs: 60_000 })
  const answer = flow.send('k1', { body: BODY })
  for (let second = 0; second < 31; second += 1) await clock.advance(1000)
  t.match(await answer, { kind: 'problem', problem: { code: 'still-running' } })
  t.strictSame(store.events, [])
  for (let second = 0; second < 31; second += 1) await clock.advance(1000)
  t.match(store.events, [{ lane: 'c-7', flaw: null }])
  t.strictSame(flow.rung, ['payments'])
})

test('a reply that is streamed settles before its first byte, with the events that need nothing of its body', async (t) => {
  const streaming: UpstreamReply = {
    kind: 'streaming', status: 201, headers: ['Location', '/v1/charges/ch_1'],
    body: { trailers: [], ready: () => true, cancel: () => undefined, async* [Symbol.asyncIterator]() { yield Buffer.from('never read here') } },
  }
  const yaml = YAML.replace('{ id: "{reply:/id}",', '{ at: "{reply-header:location}",').replace('on: [4xx, 5xx]', 'on: any').replace('data: { status: "{status}" }', 'data: { id: "{reply:/id}" }')
  const { clock, store, flow } = await scene({ kind: 'answered', reply: streaming }, { yaml })
  await sent(clock, flow, 'k1')
  t.match(store.events, [{ type: 'charge.created', flaw: null }, { type: 'charge.failed', flaw: /the body of the reply was not kept/ }])
  t.match(store.events[0] === undefined ? null : said(store.events[0]), { data: { at: '/v1/charges/ch_1', amount: 12.5 } })
})

test('a completion that is repeated because nobody knows whether it was written has the same events', async (t) => {
  const { clock, store, flow } = await scene(answered(201, '{"id":"ch_1"}'))
  const events: (readonly OutboxEvent[])[] = []
  const { complete } = store
  store.complete = async (claim, completion) => {
    events.push(completion.events)
    const written = await complete(claim, completion)
    if (events.length === 1) throw new StoreUnavailable('unknown', 'the answer was lost')
    return written
  }
  const answer = flow.send('k1', { body: BODY })
  for (let i = 0; i < 20; i += 1) await clock.advance(100)
  t.match(await answer, { kind: 'fresh' })
  t.equal(events.length, 2)
  t.strictSame(events[0], events[1])
  t.equal(store.events.length, 1)
  t.strictSame(flow.rung, ['payments'])
})

test('a route without an outbox stores no draft and commits nothing', async (t) => {
  const { clock, store, flow } = await scene({ kind: 'lost', cause: 'connection-lost', reply: null }, { yaml: 'routes: []' })
  await sent(clock, flow, 'k1')
  t.match(await store.find({ state: 'uncertain' }, 1), [{ outbox: null }])
  t.strictSame(store.events, [])
})

function whole(status: number): UpstreamReply {
  return { kind: 'whole', reply: { status, headers: [], body: Buffer.from('{}'), trailers: [] } }
}

import { test } from 'tap'
import type { AttemptOutcome } from '../../src/core/attempt.ts'
import type { ProbePolicy } from '../../src/core/probe.ts'
import { StoreUnavailable, type Attempt, type KeyStore, type UpstreamRequest } from '../../src/core/ports.ts'
import type { Claim, DoubtCause } from '../../src/core/record.ts'
import { Roster } from '../../src/core/roster.ts'
import type { Route } from '../../src/core/route.ts'
import { loadConfig } from '../../src/config/load.ts'
import { Inquiries, type Inquired, type Known } from '../../src/request/probe.ts'
import type { Abortable } from '../../src/request/retry-loop.ts'
import { claimed, request } from '../contract/situation.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { NotedJournal, NotedMeter } from '../support/quiet.ts'
import { replaced } from '../support/shared-store.ts'

/* The inquiry alone, in virtual time: how often it asks, for how long, and what it may write. */

const YAML = `routes: [{ name: create-charge, match: { path: /v1/charges }, idempotency: { scope: none, when_unsure: { probe: {
  get: "/v1/charges/{key}", quiet: 2m, timeout: 1s, attempts: 3, credential: { header: authorization, value: "Bearer \${TOKEN}" } } } } }]`

const answer = (status: number): AttemptOutcome => ({ kind: 'answered', reply: { kind: 'whole', reply: { status, headers: ['Content-Type', 'application/json', 'Set-Cookie', 'a=b'], body: Buffer.from('{}'), trailers: [] } } })
const FOUND = answer(200)
const ABSENT = answer(404)
const SILENCE = null

interface Scene {
  readonly clock: FakeClock
  readonly store: MemoryKeyStore
  readonly inquiries: Inquiries
  readonly questions: UpstreamRequest[]
  readonly meter: NotedMeter
  readonly underWay: Roster<Abortable>
  readonly stop: () => void
  readonly doubt: (key: string, cause?: DoubtCause) => Promise<{ claim: Claim, known: Known }>
}

/** `ends` in order, the last one for ever. */
async function scene(ends: readonly (AttemptOutcome | null)[], wrap: (store: KeyStore) => KeyStore = (store) => store): Promise<Scene> {
  const clock = new FakeClock()
  const store = new MemoryKeyStore(clock)
  const loaded = await loadConfig({ file: { name: 'test.yaml', text: YAML }, flags: { upstream: 'http://127.0.0.1:1' }, environment: { TOKEN: 't' } })
  if (loaded.kind === 'faulty') throw new Error(loaded.mistakes.map(({ message }) => message).join('\n'))
  const { routes } = loaded.config
  const questions: UpstreamRequest[] = []
  const meter = new NotedMeter()
  const underWay = new Roster<Abortable>()
  let stopping = false
  const attempt = (asked: UpstreamRequest): Attempt => {
    const end = ends[Math.min(questions.length, ends.length - 1)]
    questions.push(asked)
    let abort: Attempt['abort'] = () => undefined
    const outcome = new Promise<AttemptOutcome>((resolve) => {
      abort = (by) => resolve({ kind: 'aborted', by, sent: true })
      if (end !== null && end !== undefined) clock.after(10, () => resolve(end))
    })
    return { outcome, abort }
  }
  const inquiries = new Inquiries({
    store: wrap(store), service: 'charges', bell: { ring: () => undefined }, upstream: { attempt }, clock, random: { uniform: () => 1, token: () => 'x' }, meter, journal: new NotedJournal(),
    limits: { socketWaitMs: 5000, keptReplyBytes: 1024 }, underWay, routes: () => routes, stopping: () => stopping,
  })
  return {
    clock, store, inquiries, questions, meter, underWay,
    stop() {
      stopping = true
      for (const attempted of underWay) attempted.abort('shutdown')
    },
    async doubt(key, cause = 'connection-lost') {
      const text = JSON.stringify({ v: 1, shape: policyOf(routes).shape, target: `/v1/charges/${key}`, fields: [], expect: [] })
      const wish = request(key, '1', { probe: text })
      const claim = await claimed(store, wish)
      await store.abandon(claim, cause, 1)
      return { claim, known: { id: claim.id, fence: claim.fence, route: wish.route, operationRef: wish.operationRef, cause, probe: text, outbox: null, ageMs: 0, knownAt: clock.monotonicMs() } }
    },
  }
}

function policyOf(routes: readonly Route[]): ProbePolicy {
  const action = routes[0]?.action
  if (action?.kind !== 'guard' || action.policy.whenUnsure.kind !== 'probe') throw new Error('there is a probe')
  return action.policy.whenUnsure.probe
}

const FOR_LONG = { until: Infinity, questions: 10, mayFree: true }

async function ended(clock: FakeClock, inquiry: Promise<Inquired>): Promise<Inquired> {
  const ends: Inquired[] = []
  void inquiry.then((end) => ends.push(end))
  for (let i = 0; i < 200 && ends.length === 0; i += 1) await clock.advance(100)
  return ends[0] ?? 'unclear'
}

test('what is found completes the key, with the fields that are kept', async (t) => {
  const { clock, store, inquiries, questions, meter, doubt } = await scene([FOUND])
  const { claim, known } = await doubt('a')
  t.equal(await ended(clock, inquiries.inquire(known, FOR_LONG)), 'resolved')
  t.match(await store.find({ id: claim.id }, 1), [{ state: 'completed', fence: claim.fence + 1, reply: { reply: { status: 200, headers: ['Content-Type', 'application/json'] } } }])
  t.match(questions, [{ method: 'GET', target: '/v1/charges/a', fields: ['Accept-Encoding', 'identity', 'User-Agent', 'onceward-probe', 'authorization', 'Bearer t'] }])
  t.strictSame(meter.probes, ['found'])
})

test('what is absent is asked for as often as it may be, and counts only if it was asked for after quiet', async (t) => {
  const { clock, store, inquiries, questions, doubt } = await scene([ABSENT])
  const { claim, known } = await doubt('a')
  t.equal(await ended(clock, inquiries.inquire(known, FOR_LONG)), 'unclear')
  t.equal(questions.length, 3)
  await clock.advance(known.knownAt + 120_000 - 1 - clock.monotonicMs())
  t.equal(await ended(clock, inquiries.inquire(known, { ...FOR_LONG, questions: 1 })), 'unclear', 'a millisecond too early, though answered after it')
  t.equal(await ended(clock, inquiries.inquire(known, { ...FOR_LONG, mayFree: false })), 'unclear', 'whoever has just lost it frees nothing')
  t.equal(await ended(clock, inquiries.inquire(known, { ...FOR_LONG, questions: 1 })), 'resolved')
  t.strictSame(await store.find({ id: claim.id }, 1), [])
})

test('after a lease that ended, quiet begins when an attempt can have had no socket any more; after an unprotected sending never', async (t) => {
  for (const [cause, freeAfterMs] of [['lease-expired', 125_000], ['sent-unprotected', Infinity]] as const) {
    const { clock, inquiries, doubt } = await scene([ABSENT])
    const { known } = await doubt('a', cause)
    await clock.advance(124_990)
    t.equal(await ended(clock, inquiries.inquire(known, { ...FOR_LONG, questions: 1 })), 'unclear', cause)
    await clock.advance(10)
    t.equal(await ended(clock, inquiries.inquire(known, { ...FOR_LONG, questions: 1 })), freeAfterMs === Infinity ? 'unclear' : 'resolved', cause)
  }
})

test('silence ends with the time-out, and the inquiry with the deadline of who waits', async (t) => {
  const { clock, inquiries, questions, doubt } = await scene([SILENCE])
  const { known } = await doubt('a')
  const startedAt = clock.monotonicMs()
  t.equal(await ended(clock, inquiries.inquire(known, { ...FOR_LONG, until: startedAt + 1500 })), 'unclear')
  t.ok(clock.monotonicMs() - startedAt <= 1600)
  t.equal(questions.length, 2)
})

test('one inquiry per key, however many want it', async (t) => {
  const { clock, inquiries, questions, doubt } = await scene([FOUND])
  const { known } = await doubt('a')
  const all = Array.from({ length: 10 }, () => inquiries.inquire(known, FOR_LONG))
  await clock.advance(100)
  t.strictSame(new Set(await Promise.all(all)), new Set(['resolved']))
  t.equal(questions.length, 1)
})

test('64 inquiries at one time, and no more', async (t) => {
  const { clock, inquiries, questions, doubt } = await scene([SILENCE])
  const doubts = await Promise.all(Array.from({ length: 70 }, (_, n) => doubt(`k${n}`)))
  const all = doubts.map(({ known }) => inquiries.inquire(known, { ...FOR_LONG, questions: 1 }))
  t.equal(questions.length, 64)
  await clock.advance(1100)
  t.ok((await Promise.all(all)).every((end) => end === 'unclear'))
})

test('a holder that was faster, and a store that is gone, are no harm', async (t) => {
  const { clock, store, inquiries, doubt } = await scene([FOUND])
  const { claim, known } = await doubt('a')
  await store.release(claim)
  t.equal(await ended(clock, inquiries.inquire(known, FOR_LONG)), 'resolved', 'it is no doubt any more')
  const gone = await scene([FOUND], (own) => replaced(own, { resolve: () => Promise.reject(new StoreUnavailable('unknown', 'gone')) }))
  t.equal(await ended(gone.clock, gone.inquiries.inquire((await gone.doubt('a')).known, FOR_LONG)), 'unclear')
})

test('a shutdown ends questions and pauses', async (t) => {
  for (const ends of [[SILENCE], [ABSENT]]) {
    const { clock, inquiries, doubt, stop, underWay } = await scene(ends)
    const inquiry = inquiries.inquire((await doubt('a')).known, FOR_LONG)
    await clock.advance(50)
    stop()
    t.equal(await inquiry, 'unclear')
    t.equal(underWay.size, 0)
  }
})

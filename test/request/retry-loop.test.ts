import fc from 'fast-check'
import { test } from 'tap'
import type { AttemptOutcome } from '../../src/core/attempt.ts'
import type { Answer } from '../../src/request/call.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { flowOver, type FlowOfOneProcess } from '../support/flow.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { ANSWERED, LOST, NOT_SENT, refused, ScheduledUpstream, whole, type Schedule } from '../support/scheduled-upstream.ts'

interface Scene {
  readonly flow: FlowOfOneProcess
  readonly clock: FakeClock
  readonly upstream: ScheduledUpstream
  readonly store: MemoryKeyStore
  /** moves time until it is told */
  readonly ask: (key: string, more?: Parameters<FlowOfOneProcess['send']>[1]) => Promise<string>
}

async function scene(schedule: Schedule, yaml = '{}', uniform?: () => number): Promise<Scene> {
  const clock = new FakeClock()
  const upstream = new ScheduledUpstream(clock, schedule)
  const store = new MemoryKeyStore(clock)
  const flow = await flowOver(store, { yaml, clock, wakeups: null, attempt: upstream.attempt, ...(uniform === undefined ? {} : { uniform }) })
  return {
    flow, clock, upstream, store,
    async ask(key, more) {
      const answers: Answer[] = []
      void flow.send(key, more).then((answer) => answers.push(answer))
      await clock.advance(0) // it is on its way
      for (let i = 0; i < 400 && answers.length === 0; i += 1) await clock.advance(250)
      const [answer] = answers
      return answer === undefined ? 'nothing' : told(answer)
    },
  }
}

function told(answer: Answer): string {
  switch (answer.kind) {
    case 'accepted': return 'accepted'
    case 'fresh': return `${answer.reply.kind === 'whole' ? answer.reply.reply.status : answer.reply.status}${answer.gaveUp === null ? '' : ` ${answer.gaveUp}`}`
    case 'problem': return `${answer.problem.code}${answer.problem.gaveUp === null ? '' : ` ${answer.problem.gaveUp}`}`
    case 'replay': return `replay ${answer.reply.status}`
    case 'none': case 'unprotected': return answer.kind
    default: return answer satisfies never
  }
}

const RESEND = 'defaults: { idempotency: { when_unsure: { resend: { within: 24h, in_progress: [409] } } } }'

function at(...outcomes: readonly (AttemptOutcome | null)[]): Schedule {
  return outcomes.map((outcome) => ({ outcome, takesMs: 10 }))
}

/** Which ends are tried again, by whom, and what the client hears. */
const ROWS: readonly [string, Schedule, string, string, number, Parameters<FlowOfOneProcess['send']>[1]?][] = [
  ['an answer ends it', at(ANSWERED), '', '201', 1],
  ['what was not sent is sent again', at(NOT_SENT, NOT_SENT, ANSWERED), '', '201', 3],
  ['what was refused is sent again', at(refused(), ANSWERED), '', '201', 2],
  ['four attempts are four, the first one included', at(NOT_SENT), '', 'upstream-unreachable no-attempts', 4],
  ['the last refusal is passed on', at(refused('Retry-After', '1')), '', '503 no-attempts', 4],
  ['one attempt is one', at(NOT_SENT), 'defaults: { retry: { attempts: 1 } }', 'upstream-unreachable no-attempts', 1],
  ['a lost POST is not sent again', at(LOST, ANSWERED), '', 'outcome-unknown not-safe', 1],
  ['a lost POST after a refusal is not sent again', at(refused(), LOST, ANSWERED), '', 'outcome-unknown not-safe', 2],
  ['a lost PUT is not sent again', at(LOST, ANSWERED), '', 'outcome-unknown not-safe', 1, { method: 'PUT' }],
  ['a lost DELETE is not sent again', at(LOST, ANSWERED), '', 'outcome-unknown not-safe', 1, { method: 'DELETE' }],
  ['a lost GET is sent again', at(LOST, ANSWERED), '', '201', 2, { method: 'GET' }],
  ['a lost POST is sent again under resend', at(LOST, LOST, ANSWERED), RESEND, '201', 3],
  ['after a doubt a refusal settles nothing', at(LOST, refused()), RESEND, '503 no-attempts', 4],
  ['a Retry-After past the deadline ends it', at(refused('Retry-After', '31'), ANSWERED), '', '503 no-time', 1],
  ['a date that has passed asks for no wait', at(refused('Retry-After', 'Thu, 01 Jan 1970 00:00:00 GMT'), ANSWERED), '', '201', 2],
  ['an empty budget ends it', at(NOT_SENT), 'budgets: { default: { ratio: 0, min_per_second: 0 } }', 'upstream-unreachable no-budget', 1],
  ['a budget of one retry pays for one', at(NOT_SENT), 'budgets: { default: { ratio: 1, min_per_second: 0 } }', 'upstream-unreachable no-budget', 2],
  ['a budget of its own is taken from', at(NOT_SENT), 'budgets: { none: { ratio: 0, min_per_second: 0 } }\ndefaults: { retry: { budget: none } }', 'upstream-unreachable no-budget', 1],
]

for (const [what, schedule, yaml, answer, attempts, more] of ROWS) {
  test(what, async (t) => {
    const { ask, upstream } = await scene(schedule, `${yaml}\nroutes: [{ name: all, match: { path: /* } }]`)
    t.equal(await ask('k1', more), answer)
    t.equal(upstream.seen.length, attempts)
  })
}

test('after a doubt a key stays in doubt, whatever the attempts after it prove', async (t) => {
  const { ask, store } = await scene(at(LOST, refused()), RESEND)
  await ask('k1')
  t.equal((await store.find({ state: 'uncertain' }, 10)).length, 1)
})

test('under resend a request that is being worked on is asked about until there is an answer: 409 is never stored', async (t) => {
  const working: AttemptOutcome = { kind: 'lost', cause: 'ambiguous-status', reply: whole(409, [], 'working') }
  const { ask, upstream } = await scene(at(LOST, ...Array.from({ length: 12 }, () => working), ANSWERED), RESEND)
  t.equal(await ask('k1'), '201')
  t.equal(upstream.seen.length, 14, 'more than four attempts')
  t.strictSame(upstream.seen.map(({ afterDoubt }) => afterDoubt), [false, ...Array.from({ length: 13 }, () => true)])
  t.equal(await ask('k1'), 'replay 201')
})

test('one that goes on being worked on is in doubt at the deadline, and asked about by who comes next', async (t) => {
  const working: AttemptOutcome = { kind: 'lost', cause: 'ambiguous-status', reply: whole(409, [], 'working') }
  const { ask, clock, store, upstream } = await scene(at(LOST, working), RESEND)
  const began = clock.monotonicMs()
  t.equal(await ask('k1'), '409 no-time')
  t.ok(clock.monotonicMs() - began <= 30_250)
  t.ok(upstream.seen.length > 10)
  t.equal((await store.find({ state: 'uncertain' }, 10)).length, 1)
})

test('the upstream remembers the key no longer than `within`: after that nothing is sent again', async (t) => {
  const slow = Array.from({ length: 4 }, () => ({ outcome: LOST, takesMs: 900 }))
  const { ask, upstream } = await scene(slow, 'defaults: { idempotency: { when_unsure: { resend: { within: 1s } } } }')
  t.equal(await ask('k1'), 'outcome-unknown not-safe')
  t.equal(upstream.seen.length, 2)
})

test('an attempt has its own time only where another one may follow, and the last one has all that is left', async (t) => {
  const never = at(null, null, ANSWERED)
  const PER_TRY = 'routes: [{ name: all, match: { path: /* }, retry: { per_try_timeout: 1s } }]'
  const get = await scene(never, PER_TRY, () => 0)
  t.equal(await get.ask('k1', { method: 'GET' }), '201')
  t.strictSame(get.upstream.seen.map(({ atMs }) => atMs - (get.upstream.seen[0]?.atMs ?? 0)), [0, 1000, 2000])
  const post = await scene(never, PER_TRY)
  t.equal(await post.ask('k1'), 'still-running', 'a POST may have run: it is waited for')
  t.equal(post.upstream.seen.length, 1)
  const broke = await scene(never, `budgets: { default: { ratio: 0, min_per_second: 0 } }\n${PER_TRY}`)
  t.equal(await broke.ask('k1', { method: 'GET' }), 'still-running', 'nothing pays for another one')
  t.equal(broke.upstream.seen.length, 1)
})

test('no attempt starts when the claim cannot be trusted any longer', async (t) => {
  const { ask, upstream, store } = await scene(at(refused('Retry-After', '8'), ANSWERED), 'defaults: { idempotency: { lease: 6s } }')
  store.renew = () => Promise.reject(new Error('no store'))
  t.equal(await ask('k1'), '503 lease')
  t.equal(upstream.seen.length, 1)
})

test('the claim is renewed while the loop waits: nobody takes it over', async (t) => {
  const { ask, store, upstream } = await scene(at(refused('Retry-After', '9'), refused('Retry-After', '9'), ANSWERED), 'defaults: { idempotency: { lease: 3s } }')
  t.equal(await ask('k1'), '201')
  t.equal(upstream.seen.length, 3)
  t.equal(await ask('k1'), 'replay 201')
  t.strictSame(await store.reap(10), { orphaned: 0 })
})

test('a shutdown ends a delay, and the key is settled as the attempts say', async (t) => {
  const { flow, clock, upstream, store } = await scene(at(refused('Retry-After', '8'), ANSWERED))
  const answering = flow.send('k1')
  await clock.advance(0)
  await clock.advance(1000)
  for (const one of flow.deps.underWay) one.abort('shutdown')
  t.equal(told(await answering), '503 shutdown')
  t.equal(upstream.seen.length, 1)
  t.strictSame(await store.census(), { inFlight: 0, uncertain: 0, completed: 0 })
})

test('retries under way have a limit, delays included, and give their place back', async (t) => {
  const { flow, clock, ask } = await scene(at(refused('Retry-After', '5'), refused('Retry-After', '5'), ANSWERED), 'budgets: { default: { max_in_flight: 1 } }')
  const first = flow.send('k1')
  await clock.advance(100)
  t.equal(await ask('k2'), '503 too-many')
  await clock.advance(10_000)
  t.equal(told(await first), '201')
  t.strictSame([...flow.deps.pools.underWay()], [['default', 0]])
})

test('a deadline that the client names is kept, and the upstream is told what is left of it', async (t) => {
  const yaml = 'defaults: { retry: { deadline_from: { header: x-timeout-ms, form: ms }, deadline_to: { header: grpc-timeout, form: grpc } } }'
  const { ask, upstream, clock } = await scene([{ outcome: NOT_SENT, takesMs: 400 }, { outcome: null, takesMs: 0 }], yaml, () => 0)
  const began = clock.monotonicMs()
  t.equal(await ask('k1', { fields: ['X-Timeout-Ms', '1500'] }), 'still-running')
  t.equal(clock.monotonicMs() - began, 1500)
  t.strictSame(upstream.seen.map(({ request: { fields } }) => fields[fields.indexOf('grpc-timeout') + 1]), ['1500m', '1100m'])
})

test('an upstream that fails is left alone: nothing is claimed, and one request finds out after the pause', async (t) => {
  const { ask, upstream, store, clock, flow } = await scene(at(NOT_SENT, NOT_SENT, NOT_SENT, NOT_SENT, ANSWERED), 'breaker: { min_attempts: 4, pause: 5s }')
  t.equal(await ask('k1'), 'upstream-unreachable no-attempts')
  const before = clock.monotonicMs()
  t.equal(await ask('k2'), 'upstream-resting')
  t.equal(upstream.seen.length, 4)
  t.strictSame(await store.census(), { inFlight: 0, uncertain: 0, completed: 0 })
  await clock.advance(5000 - (clock.monotonicMs() - before) + 1000)
  t.equal(await ask('k2'), '201')
  t.equal(flow.deps.breaker?.state, 'closed')
})

const OUTCOME = fc.constantFrom<AttemptOutcome>(
  ANSWERED, NOT_SENT, LOST, refused(), refused('Retry-After', '0'), refused('Retry-After', '2'), refused('Retry-After', '40'),
  { kind: 'lost', cause: 'ambiguous-status', reply: whole(502, ['Retry-After', '3']) }, { kind: 'lost', cause: 'reply-incomplete', reply: null },
)
const STEP = fc.record({ outcome: fc.oneof({ weight: 9, arbitrary: OUTCOME }, { weight: 1, arbitrary: fc.constant(null) }), takesMs: fc.integer({ min: 0, max: 9000 }) })

test('over random schedules of failures: one attempt with an effect, delays within their bounds, no retry past the deadline, no budget overdrawn', async (t) => {
  const capMs = 2000
  const deadlineMs = 10_000
  const property = fc.asyncProperty(fc.array(STEP, { minLength: 1, maxLength: 8 }), fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE'), fc.integer({ min: 0, max: 3 }), fc.integer(), async (schedule, method, paidFor, seed) => {
    let state = seed
    const uniform = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32
    const yaml = `routes: [{ name: all, match: { path: /* }, retry: { attempts: 6, deadline: 10s, cap: 2s, linger: 1s } }]\nbudgets: { default: { ratio: ${paidFor}, min_per_second: 0, window: 60s } }`
    const { ask, upstream, flow } = await scene(schedule, yaml, uniform)
    await ask('k1', { method })
    const outcomes = upstream.seen.map((_, i) => schedule[Math.min(i, schedule.length - 1)]?.outcome ?? null)
    const mayHaveActed = outcomes.filter((outcome) => outcome === null || outcome.kind === 'answered' || outcome.kind === 'lost').length
    if (mayHaveActed > 1) throw new Error(`${mayHaveActed} attempts may have had an effect`)
    if (flow.meter.delaysMs.length > paidFor) throw new Error(`${flow.meter.delaysMs.length} retries of ${paidFor}`)
    const began = upstream.seen[0]?.atMs ?? 0
    for (const [i, delayMs] of flow.meter.delaysMs.entries()) {
      const before = outcomes[i]
      const asked = before?.kind === 'refused' && before.reply.kind === 'whole' ? Number(before.reply.reply.headers[1] ?? 0) * 1000 : 0
      if (delayMs < asked || delayMs > asked + capMs) throw new Error(`a delay of ${delayMs} where ${asked} were asked for`)
      if ((upstream.seen[i + 1]?.atMs ?? Infinity) >= began + deadlineMs) throw new Error('a retry at the deadline')
    }
  })
  await fc.assert(property, { numRuns: 150 })
  t.pass()
})

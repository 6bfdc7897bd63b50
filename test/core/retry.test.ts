import { test } from 'tap'
import type { AttemptOutcome } from '../../src/core/attempt.ts'
import { markRetry, tellDeadline } from '../../src/core/attempt-fields.ts'
import { deadlineMs, deadlineText } from '../../src/core/deadline.ts'
import { askedToWaitMs, health, isInProgress, isRepeatable, repetition, withoutContent } from '../../src/core/retry.ts'

const whole = (status: number, headers: readonly string[] = []) => ({ kind: 'whole', reply: { status, headers, body: new Uint8Array(), trailers: [] } }) as const

/** One row per class of DESIGN 4.3: may it be repeated (by who must not run twice, and by who may), and what it says of the upstream. */
const ROWS: readonly [string, AttemptOutcome, string, string, string][] = [
  ['an answer', { kind: 'answered', reply: whole(200) }, 'over', 'over', 'well'],
  ['a 500', { kind: 'answered', reply: whole(500) }, 'over', 'over', 'well'],
  ['a 401', { kind: 'answered', reply: whole(401) }, 'over', 'over', 'well'],
  ...(['dns', 'connect-refused', 'connect-timeout', 'connect-failed', 'tls'] as const).map((cause): [string, AttemptOutcome, string, string, string] => [cause, { kind: 'not_sent', cause }, 'safely', 'safely', 'ill']),
  ['no socket', { kind: 'not_sent', cause: 'no-socket' }, 'safely', 'safely', 'nothing'],
  ['a 429', { kind: 'refused', reply: whole(429) }, 'safely', 'safely', 'nothing'],
  ['a 425', { kind: 'refused', reply: whole(425) }, 'safely', 'safely', 'nothing'],
  ['a 503 with Retry-After', { kind: 'refused', reply: whole(503) }, 'safely', 'safely', 'ill'],
  ['a reset after a byte', { kind: 'lost', cause: 'connection-lost', reply: null }, 'no', 'safely', 'ill'],
  ['a truncated body', { kind: 'lost', cause: 'reply-incomplete', reply: null }, 'no', 'safely', 'ill'],
  ['no answer in time', { kind: 'lost', cause: 'deadline', reply: null }, 'no', 'safely', 'ill'],
  ['a 502', { kind: 'lost', cause: 'ambiguous-status', reply: whole(502) }, 'no', 'safely', 'ill'],
  ['a 408', { kind: 'lost', cause: 'ambiguous-status', reply: whole(408) }, 'no', 'safely', 'nothing'],
  ['the end of linger', { kind: 'aborted', by: 'deadline', sent: true }, 'over', 'over', 'ill'],
  ['a deadline before it was sent', { kind: 'aborted', by: 'deadline', sent: false }, 'over', 'over', 'nothing'],
  ['a shutdown', { kind: 'aborted', by: 'shutdown', sent: true }, 'over', 'over', 'nothing'],
  ['a client that left', { kind: 'aborted', by: 'client', sent: true }, 'over', 'over', 'nothing'],
]

for (const [what, outcome, once, often, says] of ROWS) {
  test(`${what}: repeated ${once} by who must not run twice, ${often} by who may`, async (t) => {
    t.equal(repetition(outcome, false), once)
    t.equal(repetition(outcome, true), often)
    t.equal(health(outcome), says)
  })
}

test('GET, HEAD and OPTIONS may run twice, nothing else', async (t) => {
  t.strictSame(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'QUERY', 'get'].filter(isRepeatable), ['GET', 'HEAD', 'OPTIONS'])
})

test('a wait that is asked for counts on every reply that is not the answer', async (t) => {
  t.equal(askedToWaitMs({ kind: 'refused', reply: whole(503, ['Retry-After', '7']) }, 0), 7000)
  t.equal(askedToWaitMs({ kind: 'lost', cause: 'ambiguous-status', reply: whole(502, ['retry-after', '2']) }, 0), 2000)
  t.equal(askedToWaitMs({ kind: 'lost', cause: 'connection-lost', reply: null }, 0), 0)
  t.equal(askedToWaitMs({ kind: 'not_sent', cause: 'dns' }, 0), 0)
})

test('only after a doubt a status can say that the first one is being worked on', async (t) => {
  const policy = { rules: new Map(), inProgress: [409], otherwise: 'final' as const, proofs: [] }
  const working: AttemptOutcome = { kind: 'lost', cause: 'ambiguous-status', reply: whole(409) }
  t.ok(isInProgress(working, true, policy))
  t.notOk(isInProgress(working, false, policy))
  t.notOk(isInProgress({ kind: 'lost', cause: 'ambiguous-status', reply: whole(502) }, true, policy))
})

test('a reply that still streams is let go of, and keeps its status and what it asks for', async (t) => {
  let cancelled = 0
  const body = { trailers: [], ready: () => true, cancel: () => { cancelled += 1 }, async *[Symbol.asyncIterator]() { yield new Uint8Array() } }
  const outcome = withoutContent({ kind: 'refused', reply: { kind: 'streaming', status: 503, headers: ['Retry-After', '1', 'Content-Encoding', 'gzip', 'Content-Length', '9'], body } })
  t.equal(cancelled, 1)
  t.match(outcome, { kind: 'refused', reply: { kind: 'whole', reply: { status: 503, headers: ['Retry-After', '1'] } } })
})

test('a deadline that a client names counts if it is shorter and can be read', async (t) => {
  const read = (value: string, form: 'ms' | 's' | 'grpc'): number => deadlineMs(['X-T', value], { header: 'x-t', form }, 30_000)
  t.strictSame([read('1500', 'ms'), read('2', 's'), read('1.5', 's'), read('2500m', 'grpc'), read('2S', 'grpc'), read('1u', 'grpc')], [1500, 2000, 1500, 2500, 2000, 1])
  for (const nonsense of ['', '0', '-5', '1e9', 'soon', '999999999', '99999999']) t.equal(read(nonsense, 'ms'), 30_000, nonsense)
  t.equal(read('5', 'grpc'), 30_000, 'no unit')
  t.equal(deadlineMs(['X-T', '5'], null, 30_000), 30_000)
})

test('the upstream is told what is left, never 0', async (t) => {
  t.strictSame([deadlineText(1499.2, 'ms'), deadlineText(1499.2, 's'), deadlineText(1499.2, 'grpc'), deadlineText(-3, 'ms'), deadlineText(200_000_000, 'grpc')], ['1500', '2', '1500m', '1', '200000S'])
  const fields = ['A', '1', 'X-T', '9000']
  tellDeadline(fields, { header: 'x-t', form: 'ms' }, 100)
  t.strictSame(fields, ['A', '1', 'X-T', '100'])
})

test('a traceparent that is none stays as it is', async (t) => {
  for (const traceparent of ['nonsense', '00-0af7651916cd43dd8448eb211c80319c-xyz-01']) {
    const fields = ['Traceparent', traceparent]
    markRetry(fields, 2, () => 'f'.repeat(16))
    t.strictSame(fields, ['Traceparent', traceparent, 'Onceward-Attempt', '2'])
  }
})

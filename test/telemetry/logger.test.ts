import fc from 'fast-check'
import { test } from 'tap'
import type { KeyOutcome, SettledLine } from '../../src/core/ports.ts'
import { isKept } from '../../src/core/tracing.ts'
import { openJournal, type LogLevel } from '../../src/telemetry/logger.ts'
import { FakeClock } from '../support/fake-clock.ts'

const LINE: SettledLine = { route: 'charge', method: 'POST', outcome: 'new', status: 200, id: 'abcdefgh', operationRef: 'op_1', attempts: 1, cause: null, client: null, late: false, traceId: null, spanId: null, durationMs: 1.5 }

function open(level: LogLevel, successes = 1, uniform = () => 0) {
  const lines: string[] = []
  return { lines, journal: openJournal({ level, successes }, { write: (line) => { lines.push(line) } }, new FakeClock(5000), { uniform }) }
}

test('the line of a request has the form of all others', async (t) => {
  const { lines, journal } = open('info')
  journal.settled(LINE)
  journal.info('sidecar.ready', { address: 'here' })
  const [settled, ready] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  t.same(settled, { level: 30, time: 5000, service: 'onceward', route: 'charge', method: 'POST', outcome: 'new', status: 200, id: 'abcdefgh', operationRef: 'op_1', attempts: 1, durationMs: 1.5, msg: 'request.settled' })
  t.same(ready, { level: 30, time: 5000, service: 'onceward', address: 'here', msg: 'sidecar.ready' })
  t.ok(lines.every((line) => line.endsWith('\n')))
})

test('nothing in a line can break out of its string', async (t) => {
  const { lines, journal } = open('info')
  journal.settled({ ...LINE, method: 'P"OST\n\u001b[2J', cause: 'a"b', late: true })
  t.equal(lines.length, 1)
  t.match(JSON.parse(lines[0] ?? ''), { method: 'P"OST\n\u001b[2J', cause: 'a"b', late: true })
  t.equal((lines[0] ?? '').trimEnd().includes('\n'), false)
})

test('a level above info leaves the line of a request out', async (t) => {
  const { lines, journal } = open('warn')
  journal.settled(LINE)
  journal.info('sidecar.ready', {})
  journal.warn('store.write-failed', { error: 'x' })
  t.equal(lines.length, 1)
})

test('what a library might carry along is redacted', async (t) => {
  const { lines, journal } = open('info')
  journal.logger.info({ authorization: 'Bearer secret', request: { headers: 'secret', body: 'secret' }, key: 'secret' }, 'event')
  t.notMatch(lines[0], /secret/)
  t.match(lines[0], /\[redacted\]/)
})

test('a line says of which trace it is', async (t) => {
  const { lines, journal } = open('info')
  journal.settled({ ...LINE, traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) })
  journal.settled({ ...LINE, traceId: 'a'.repeat(32) })
  t.match(JSON.parse(lines[0] ?? ''), { trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) })
  t.match(JSON.parse(lines[1] ?? ''), { trace_id: 'a'.repeat(32), span_id: undefined })
})

const OUTCOMES: readonly KeyOutcome[] = ['new', 'replay', 'in_flight', 'mismatch', 'uncertain', 'missing', 'invalid', 'unavailable']
const line: fc.Arbitrary<SettledLine> = fc.record({
  ...Object.fromEntries(Object.entries(LINE).map(([name, value]) => [name, fc.constant(value)])) as { [F in keyof SettledLine]: fc.Arbitrary<SettledLine[F]> },
  outcome: fc.constantFrom(...OUTCOMES), status: fc.constantFrom(0, 200, 201, 302, 404, 409, 422, 429, 500, 502, 504), attempts: fc.nat(4),
  cause: fc.constantFrom(null, 'connection-lost'), late: fc.boolean(), traceId: fc.constantFrom(null, '0'.repeat(31) + '1', 'f'.repeat(32)),
})

test('no sample leaves out a doubt, a refusal, an error, a retry or what came late', async (t) => {
  let left = 0
  fc.assert(fc.property(line, fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 0.999, noNaN: true }), (one, successes, chance) => {
    const { lines, journal } = open('info', successes, () => chance)
    journal.settled(one)
    const fine = (one.outcome === 'new' || one.outcome === 'replay') && one.status >= 200 && one.status < 400 && one.attempts < 2 && one.cause === null && !one.late
    const kept = one.traceId === null ? successes === 1 || chance < successes : isKept(one.traceId, successes)
    t.equal(lines.length, fine && !kept ? 0 : 1, JSON.stringify({ one, successes, chance }))
    if (lines.length === 0) left += 1
  }), { numRuns: 3000 })
  t.ok(left > 0, 'some were left out')
})

test('lines of one trace are written or left out together, and everything else but routine is written', async (t) => {
  const { lines, journal } = open('info', 0)
  const traceId = '1'.repeat(32)
  journal.settled({ ...LINE, traceId })
  journal.routine('delivery.attempted', {}, traceId)
  journal.info('delivery.attempted', {})
  journal.warn('delivery.dead', {})
  t.strictSame(lines.map((text) => (JSON.parse(text) as { msg: string }).msg), ['delivery.attempted', 'delivery.dead'])
})

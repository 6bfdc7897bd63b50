import { test } from 'tap'
import type { SettledLine } from '../../src/core/ports.ts'
import { openJournal, type LogLevel } from '../../src/telemetry/logger.ts'
import { FakeClock } from '../support/fake-clock.ts'

const LINE: SettledLine = { route: 'charge', method: 'POST', outcome: 'new', status: 200, id: 'abcdefgh', operationRef: 'op_1', attempts: 1, cause: null, late: false, traceId: null, spanId: null, durationMs: 1.5 }

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

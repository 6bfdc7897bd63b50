import { test } from 'tap'
import { oversize, parserExcess, type ListenerLimits } from '../../src/listener/server-limits.ts'

const LIMITS: ListenerLimits = {
  headerBytes: 100, headerCount: 3, targetBytes: 20, headerTimeMs: 1, bodyTimeMs: 1, idleTimeMs: 1, connections: 1, eventLoopDelayMs: 1, heldBodiesBytes: 1,
}

test('a head at its limits passes, and one byte or one field more does not', async (t) => {
  const fits = ['a', 'x'.repeat(93), 'b', '']
  t.equal(oversize(`/${'x'.repeat(19)}`, fits, { ...LIMITS, headerBytes: 103 }), null)
  t.match(oversize(`/${'x'.repeat(20)}`, [], LIMITS), { limit: 'target_bytes', problem: { code: 'target-too-long', status: 414 } })
  t.match(oversize('/', fits, { ...LIMITS, headerBytes: 102 }), { limit: 'header_bytes', problem: { code: 'headers-too-large', status: 431 } })
  t.equal(oversize('/', ['a', '1', 'a', '2', 'a', '3'], LIMITS), null)
  t.match(oversize('/', ['a', '1', 'a', '2', 'a', '3', 'a', '4'], LIMITS), { limit: 'header_count', problem: { code: 'headers-too-large' } })
})

test('what the parser complains of is told as the limit that it is', async (t) => {
  const long = Buffer.from(`GET /${'x'.repeat(30)} HTTP/1.1\r\nHost: a\r\n`)
  const wide = Buffer.from(`GET / HTTP/1.1\r\nA: ${'x'.repeat(300)}`)
  t.match(parserExcess('HPE_HEADER_OVERFLOW', long, LIMITS), { problem: { status: 414 } })
  t.match(parserExcess('HPE_HEADER_OVERFLOW', wide, LIMITS), { problem: { status: 431 } })
  t.match(parserExcess('HPE_HEADER_OVERFLOW', Buffer.from('x'.repeat(300)), LIMITS), { problem: { status: 431 } }, 'the middle of something')
  t.match(parserExcess('HPE_HEADER_OVERFLOW', null, LIMITS), { problem: { status: 431 } })
  t.match(parserExcess('ERR_HTTP_REQUEST_TIMEOUT', null, LIMITS), { limit: 'header_time', problem: { status: 408 } })
  t.equal(parserExcess('HPE_INVALID_METHOD', long, LIMITS), null)
})

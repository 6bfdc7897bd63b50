import { test } from 'tap'
import type { NotSentCause } from '../../src/core/attempt.ts'
import { resolve } from '../../src/config/resolve.ts'
import { settled } from '../../src/request/answer.ts'

const [route] = resolve({ upstream: 'http://127.0.0.1:1' }, 'file').routes

const EXPECTED: Readonly<Record<NotSentCause, readonly [number, string]>> = {
  'dns': [502, 'dns_error'],
  'connect-refused': [502, 'connection_refused'],
  'connect-timeout': [504, 'connection_timeout'],
  'connect-failed': [502, 'connection_terminated'],
  'tls': [502, 'tls_protocol_error'],
  'no-socket': [503, 'connection_limit_reached'],
}

test('each way of not getting through has the status and the error type of RFC 9209, and is safe to repeat', async (t) => {
  if (route?.action.kind !== 'guard') return t.fail('the first fallback guards')
  for (const [cause, [status, proxyError]] of Object.entries(EXPECTED) as [NotSentCause, readonly [number, string]][]) {
    const end = settled({ kind: 'released', passedOn: null, last: { kind: 'not_sent', cause } }, { policy: route.action.policy, witness: null }, 'op_1', { outcomes: [], gaveUp: null }, 1000, 0)
    t.match(end, { answer: { kind: 'problem', problem: { code: 'upstream-unreachable', status, proxyError, retryAfterMs: 1000 } }, cause })
  }
})

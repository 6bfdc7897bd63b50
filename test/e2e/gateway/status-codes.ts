import { bothPaths, deviation, get, keyed, keyless, NOBODY_UPSTREAM, OK, plays, problemOf, row, type Row } from './row.ts'

/* Section 5.4: which status for what, and that the upstream's own statuses arrive as they are. */

const NOBODY = `service: charges ${NOBODY_UPSTREAM}`
const HURRIED = 'defaults: { retry: { deadline: 2s } }'
const NARROW = 'limits: { upstream_connections: 1, socket_wait: 20ms }\ndefaults: { retry: { deadline: 2s, linger: 1m } }'
const SMALL = 'limits: { request_body: 4B, kept_reply: 1KiB }'
const CROWDED = 'limits: { request_body: 4B, kept_reply: 4B, held_bodies: 4B }'

export const STATUS_CODES: readonly Row[] = [
  ...[200, 201, 202, 206, 301, 307, 400, 404, 409, 410, 418, 422, 451, 500, 501, 505].flatMap((status) => bothPaths(`5.4 ${status}`, 'the upstream\'s status arrives as it is', (request) => ({
    sends: request(), play: plays(status, ['X-A: 1'], 'body'), upstream: { has: [] }, back: { has: [`HTTP/1.1 ${status} `, /x-a: 1/i, 'body'] },
  }))),
  ...bothPaths('5.4 999', 'a status outside the classes passes as it is (9110 15: treat as x00)', (request) => ({
    sends: request(), play: plays(999), upstream: { has: [] }, back: { has: ['HTTP/1.1 999 '] },
  })),
  row('5.4 999 replayed', 'and is replayed as it is', [
    { sends: keyed(), play: plays(999), upstream: { has: [] }, back: { has: ['HTTP/1.1 999 '] } },
    { sends: keyed(), upstream: 'nothing', back: { has: ['HTTP/1.1 999 ', 'Idempotent-Replayed'] } },
  ]),
  ...['000', '099'].flatMap((status) => [
    deviation(`5.4 ${status} (guarded)`, 'an invalid status is 502', 'the upstream may have acted: 504 outcome-unknown; the process lives', {
      sends: keyed(), play: { bytes: `HTTP/1.1 ${status} X\r\nContent-Length: 2\r\n\r\nok`, then: 'wait' }, upstream: { has: [] }, back: { has: problemOf(504, 'outcome-unknown') },
    }),
    row(`5.4 ${status} (passed)`, 'an invalid status is 502, and the process lives', [
      { sends: keyless(), play: { bytes: `HTTP/1.1 ${status} X\r\nContent-Length: 2\r\n\r\nok`, then: 'wait' }, upstream: { has: [] }, back: { has: problemOf(502, 'upstream-failed') } },
      { sends: keyless(), play: OK, upstream: { has: [] }, back: { has: ['HTTP/1.1 200 '] } },
    ]),
  ]),
  ...bothPaths('5.4 refused', 'an upstream that refuses the connection is 502', (request) => ({
    sends: request(), upstream: 'nothing', back: { has: [...problemOf(502, 'upstream-unreachable'), 'Retry-After: 1'] },
  }), NOBODY),
  row('5.4 reset (passed)', 'an upstream that resets is 502', {
    sends: keyless(), play: { bytes: '', then: 'reset' }, upstream: { has: [] }, back: { has: problemOf(502, 'upstream-failed') },
  }),
  deviation('5.4 reset (guarded)', 'an upstream that resets is 502', 'it has the request and may have acted: 504 outcome-unknown, the same for everybody who asks', {
    sends: keyed(), play: { bytes: '', then: 'reset' }, upstream: { has: [] }, back: { has: problemOf(504, 'outcome-unknown') },
  }),
  row('5.4 timeout (guarded)', 'a response that does not come in time is 504', {
    sends: keyed(), upstream: { has: ['/v1/x'] }, back: { has: [...problemOf(504, 'still-running'), 'Retry-After: 1'] },
  }, HURRIED),
  row('5.4 no connection free', 'a limit on connections that was reached is 503, with Retry-After', [
    { sends: keyed(), upstream: { has: ['/v1/x'] }, back: { has: problemOf(504, 'still-running') } },
    { sends: keyed().replace('{key}', '{key}-2'), upstream: 'nothing', back: { has: [...problemOf(503, 'upstream-unreachable'), 'error=connection_limit_reached', 'Retry-After: 1'] } },
  ], NARROW),
  row('5.4 body too large', 'a body larger than the buffer is 413, and the connection closes', {
    sends: keyed([], { content: 'Content-Length: 5\r\n\r\nabcde' }), ends: true, upstream: 'nothing', back: { has: [...problemOf(413, 'body-too-large'), /^connection: close\r$/im] },
  }, SMALL),
  row('5.4 body too large, chunked', 'counted as it arrives where no length is stated', {
    sends: keyed([], { content: 'Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n' }), ends: true, upstream: 'nothing', back: { has: [...problemOf(413, 'body-too-large'), /^connection: close\r$/im] },
  }, SMALL),
  row('5.4 body too large (passed)', 'what is not buffered has no such limit', {
    sends: keyless([], { content: 'Content-Length: 5\r\n\r\nabcde' }), play: OK, upstream: { has: ['abcde'] }, back: { has: ['HTTP/1.1 200 '] },
  }, SMALL),
  row('5.4 exactly as large as allowed', 'the limit itself is allowed', {
    sends: keyed([], { content: 'Content-Length: 4\r\n\r\nabcd' }), play: OK, upstream: { has: ['abcd'] }, back: { has: ['HTTP/1.1 200 '] },
  }, CROWDED),
  ...bothPaths('5.4 header section too large', 'is 431, and the connection closes (6585 5)', (request) => ({
    sends: request([`X-A: ${'a'.repeat(20_000)}`]), ends: true, upstream: 'nothing', back: { has: [...problemOf(431, 'headers-too-large'), /^connection: close\r$/im] },
  })),
  ...bothPaths('5.4 URI too long', 'a target past the limit is 414, or 431 where it does not fit the header section', (request) => ({
    sends: request([], { target: `/${'a'.repeat(20_000)}` }), ends: true, upstream: 'nothing', back: { has: [/^HTTP\/1\.1 (414|431) /, 'application/problem+json'] },
  })),
  deviation('5.4 misdirected', 'a request for another authority may be 421', 'a sidecar has one upstream and forwards every Host to it; routes may be bound to a host', {
    sends: get([], { host: ['other.example'] }), play: OK, upstream: { has: ['other.example'] }, back: { has: ['HTTP/1.1 200 '] },
  }),
  deviation('5.4 destination not found', 'routing that is not configured is 500', 'behind the configured routes stand two that match everything, so there is no such request', {
    sends: get([], { target: '/nowhere' }), play: OK, upstream: { has: ['/nowhere'] }, back: { has: ['HTTP/1.1 200 '] },
  }),
  row('5.4 reserved path', 'below /_onceward/ nothing reaches the upstream', {
    sends: get([], { target: '/_onceward/x' }), upstream: 'nothing', back: { has: problemOf(404, 'not-found') },
  }),
  row('5.4 upstream\'s own problem report', 'a relayed error is passed on untouched, not wrapped (9457 1)', {
    sends: keyed(), play: plays(422, ['Content-Type: application/problem+json'], '{"type":"https://x.example/p","status":422}'), upstream: { has: [] }, back: { has: ['\r\n\r\n{"type":"https://x.example/p","status":422}'], lacks: ['urn:onceward'] },
  }),
  row('5.4 members of our own', 'a problem has type, title, status (the real one), detail (9457 3)', {
    sends: keyed(['Idempotency-Key: other']), upstream: 'nothing',
    back: { has: [/^HTTP\/1\.1 400 Bad Request\r\n/, 'Content-Type: application/problem+json\r\n', /\{"type":"urn:onceward:problem:key-invalid","title":"Idempotency-Key is not valid","status":400,"detail":"[^"]+","may_have_run":false,"safe_to_retry":false\}$/] },
  }),
  ...['GARBAGE\r\n\r\n', 'GET\r\n\r\n', '\x16\x03\x01\x02\x00\x01', 'BREW / HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n'].map((sends) => row(`5.4 ${JSON.stringify(sends)}`, 'what is no request gets a problem report, too, and the connection closes', {
    sends, ends: true, upstream: 'nothing', back: { has: [...problemOf(400, 'request-invalid'), 'Connection: close\r\n', 'Proxy-Status: onceward/charges; error=http_request_error'] },
  })),
]

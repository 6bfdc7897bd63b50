import { bothPaths, deviation, get, keyed, keyless, NOBODY_UPSTREAM, OK, plays, row, type Row } from './row.ts'

/* Section 5.5: Proxy-Status; and the CORS fields that let a web page read what is ours. */

const NOBODY = `service: charges ${NOBODY_UPSTREAM}\ndefaults: { retry: { attempts: 1 } }`
const PAGES = 'service: charges\ndefaults: { cors: { origins: ["https://shop.example"] }, retry: { deadline: 2s, attempts: 1 } }'
const PAGES_NOBODY = `service: charges ${NOBODY_UPSTREAM}\ndefaults: { cors: { origins: ["https://shop.example"] } }`
const FROM = 'Origin: https://shop.example'

export const PROXY_STATUS: readonly Row[] = [
  row('5.5 request error', 'a reply of ours says so, with the error type: http_request_error', {
    sends: keyed(['Idempotency-Key: other']), upstream: 'nothing', back: { has: ['Proxy-Status: onceward/charges; error=http_request_error; details="key-invalid"\r\n'] },
  }),
  ...bothPaths('5.5 connection_refused', 'connection_refused', (request, path) => ({
    sends: request(), upstream: 'nothing', back: { has: [path === 'guarded' ? 'Proxy-Status: onceward/charges; error=connection_refused; details="upstream-unreachable; no attempts left"\r\n' : /^Proxy-Status: onceward\/charges; error=(connection_refused|destination_unavailable); /m] },
  }), NOBODY),
  row('5.5 connection_terminated (guarded)', 'connection_terminated', {
    sends: keyed(), play: { bytes: '', then: 'reset' }, upstream: { has: [] }, back: { has: ['error=connection_terminated; details="outcome-unknown; not safe to repeat"'] },
  }),
  row('5.5 connection_terminated (passed)', 'connection_terminated', {
    sends: keyless(), play: { bytes: '', then: 'reset' }, upstream: { has: [] }, back: { has: ['error=connection_terminated; details="upstream-failed"'] },
  }),
  row('5.5 http_response_incomplete', 'http_response_incomplete, for everybody who asks later, too', [
    { sends: keyed(), play: plays(200, ['Content-Length: 9'], 'ok', 'close'), upstream: { has: [] }, back: { has: ['error=http_response_incomplete'] } },
    { sends: keyed(), upstream: 'nothing', back: { has: ['error=http_response_incomplete'] } },
  ]),
  row('5.5 http_response_timeout', 'http_response_timeout', {
    sends: keyed(), upstream: { has: [] }, back: { has: ['error=http_response_timeout; details="still-running"'] },
  }, PAGES),
  ...bothPaths('5.5 proxy_loop_detected', 'proxy_loop_detected', (request) => ({
    sends: request(['Via: 1.1 {pseudonym}']), upstream: 'nothing', back: { has: ['error=proxy_loop_detected; details="loop-detected"'] },
  })),
  row('5.5 proxy_internal_response', 'a reply that we made from what we know: proxy_internal_response', [
    { sends: keyed(), play: plays(200, ['Content-Type: text/event-stream'], 'x'), upstream: { has: [] }, back: { has: ['HTTP/1.1 200 '] } },
    { sends: keyed(), upstream: 'nothing', back: { has: ['error=proxy_internal_response; details="reply-not-kept"'] } },
  ]),
  row('5.5 name', 'the member names the deployment, not the product: the service is part of it, none for `default`', {
    sends: keyed(['Idempotency-Key: other']), upstream: 'nothing', back: { has: ['Proxy-Status: onceward; error='] },
  }, '{}'),
  row('5.5 our member is the last', 'on a reply that is passed on and settled nothing, ours stands behind those of the upstream and says what was received', {
    sends: keyed(), play: plays(503, ['Proxy-Status: origin-lb; error=connection_limit_reached', 'Retry-After: 7']), upstream: { has: [] },
    back: { has: [/^Proxy-Status: origin-lb; error=connection_limit_reached\r\n(?:.*\r\n)*?Proxy-Status: onceward\/charges; received-status=503; details="no attempts left"\r\n/m, 'Retry-After: 7'] },
  }),
  row('5.5 received-status of a doubt', 'likewise for a 502 that leaves a doubt', {
    sends: keyed(), play: plays(502), upstream: { has: [] }, back: { has: ['HTTP/1.1 502 ', 'Proxy-Status: onceward/charges; received-status=502; details="not safe to repeat"\r\n'] },
  }),
  deviation('5.5 settled replies', 'a proxy MAY add its member to every reply', 'a reply that settled its key is the upstream\'s own; Idempotency-TTL and Idempotent-Replayed say what we did with it', {
    sends: keyed(), play: plays(200, ['Proxy-Status: inner; received-status=200']), upstream: { has: [] }, back: { has: ['Proxy-Status: inner; received-status=200\r\n'], lacks: ['onceward/charges'] },
  }),
  row('5.5 not stored', 'Proxy-Status speaks of one exchange: it is not replayed', [
    { sends: keyed(), play: plays(200, ['Proxy-Status: inner; received-status=200']), upstream: { has: [] }, back: { has: ['Proxy-Status: inner'] } },
    { sends: keyed(), upstream: 'nothing', back: { has: ['Idempotent-Replayed'], lacks: ['proxy-status'] } },
  ]),
  row('5.5 passed replies', 'on a pass route the upstream\'s arrives as it is', {
    sends: keyless(), play: plays(503, ['Proxy-Status: inner; error=connection_limit_reached']), upstream: { has: [] }, back: { has: [/^proxy-status: inner; error=connection_limit_reached\r$/im], lacks: ['onceward'] },
  }),
  row('5.5 as a trailer', 'it is no trailer unless the same member is in the header section: it is dropped', {
    sends: keyed(['TE: trailers']), play: plays(200, ['Transfer-Encoding: chunked'], '2\r\nok\r\n0\r\nProxy-Status: inner\r\nX-Sum: 1\r\n\r\n'), upstream: { has: [] }, back: { has: ['X-Sum: 1'], lacks: ['proxy-status'] },
  }),
  deviation('5.5 next-hop', 'next-hop names where the request went', 'it would tell an address inside', {
    sends: keyed(), play: { bytes: '', then: 'reset' }, upstream: { has: [] }, back: { has: ['Proxy-Status: '], lacks: ['next-hop', '{upstream}', '127.0.0.1'] },
  }),
  row('5.5 CORS, a listed origin', 'our own replies can be read by the origins that the route lists', {
    sends: keyed([FROM, 'Idempotency-Key: other']), upstream: 'nothing',
    back: { has: ['Access-Control-Allow-Origin: https://shop.example\r\n', 'Access-Control-Expose-Headers: Location, Preference-Applied, Retry-After, Idempotent-Replayed, Idempotency-TTL, Proxy-Status\r\n', 'Vary: Origin\r\n'] },
  }, PAGES),
  row('5.5 CORS, another origin', 'and by no other, a lookalike included', {
    sends: keyed(['Origin: https://shop.example.evil.example', 'Idempotency-Key: other']), upstream: 'nothing', back: { has: ['Vary: Origin\r\n'], lacks: ['access-control'] },
  }, PAGES),
  row('5.5 CORS, not configured', 'without a list nothing is said', {
    sends: keyed([FROM, 'Idempotency-Key: other']), upstream: 'nothing', back: { has: ['HTTP/1.1 400 '], lacks: ['access-control', 'vary'] },
  }),
  row('5.5 CORS on the upstream\'s replies', 'what the upstream says about its own replies is not touched, live or replayed', [
    { sends: keyed([FROM]), play: plays(200, ['Vary: Accept']), upstream: { has: [FROM] }, back: { has: ['Vary: Accept'], lacks: ['access-control', 'vary: origin'] } },
    { sends: keyed([FROM]), upstream: 'nothing', back: { has: ['Idempotent-Replayed'], lacks: ['access-control', 'vary: origin'] } },
  ], PAGES),
  row('5.5 CORS, preflight', 'preflights are the upstream\'s to answer', {
    sends: get([FROM, 'Access-Control-Request-Method: POST'], { method: 'OPTIONS' }), play: plays(204, ['Access-Control-Allow-Origin: *'], ''), upstream: { has: [/^access-control-request-method: POST\r$/im] }, back: { has: [/^access-control-allow-origin: \*\r$/im] },
  }, PAGES),
  row('5.5 CORS on a pass route', 'our own 502 there, too', {
    sends: get([FROM]), upstream: 'nothing', back: { has: ['HTTP/1.1 502 ', 'Access-Control-Allow-Origin: https://shop.example\r\n'] },
  }, PAGES_NOBODY),
  row('5.5 CORS, a reply that settles nothing', 'nor is what we pass on', {
    sends: keyed([FROM]), play: plays(429, ['Retry-After: 1']), upstream: { has: [] }, back: { has: ['received-status=429'], lacks: ['access-control'] },
  }, PAGES),
  row('5.5 an answer without trouble', 'no Proxy-Status at all where there is nothing to say', {
    sends: get(), play: OK, upstream: { has: [] }, back: { has: ['HTTP/1.1 200 '], lacks: ['proxy-status'] },
  }),
]

import { bothPaths, deviation, get, keyed, keyless, OK, plays, problemOf, row, type Row } from './row.ts'

/* Section 5.3: expectations, interim replies, hops that are counted, tunnels, clients that leave. */

const EARLY = { bytes: 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', then: 'wait' } as const
const CONTINUED = { bytes: 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', then: 'wait' } as const
const SWITCHED = { bytes: 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', then: 'wait' } as const
const SMALL = 'limits: { request_body: 4B, kept_reply: 1KiB }'
const WAITING = 'defaults: { idempotency: { in_flight: { wait: 10s } } }'
const ANY = 'routes: [{ name: any, match: { path: /* } }]'

export const INTERACTION: readonly Row[] = [
  ...bothPaths('5.3 Expect: 100-continue', 'we read the body, so we are the recipient and say 100; Expect ends here (9110 10.1.1)', (request) => ({
    sends: request(['Expect: 100-Continue']), play: OK, upstream: { has: ['/v1/x'], lacks: ['expect'] }, back: { has: [/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /] },
  })),
  row('5.3 Expect and a refusal', 'a final status may be the answer instead: a refused request hears no 100', {
    sends: keyed(['Expect: 100-continue', 'Connection: Idempotency-Key']), upstream: 'nothing', back: { has: [/^HTTP\/1\.1 400 /], lacks: ['100 continue'] },
  }),
  row('5.3 Expect and a body that is too large', 'nor does one whose stated length is too large', {
    sends: keyed(['Expect: 100-continue'], { content: 'Content-Length: 5\r\n\r\n' }), ends: true, upstream: 'nothing', back: { has: [/^HTTP\/1\.1 413 /, ...problemOf(413, 'body-too-large')], lacks: ['100 continue'] },
  }, SMALL),
  row('5.3 Expect and a replay', 'a replay needs the body, too: its fingerprint is compared', [
    { sends: keyed(['Expect: 100-continue']), play: OK, upstream: { has: [] }, back: { has: ['HTTP/1.1 200 '] } },
    { sends: keyed(['Expect: 100-continue']), upstream: 'nothing', back: { has: [/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /, 'Idempotent-Replayed'] } },
  ]),
  ...bothPaths('5.3 other expectations', 'other members are 417', (request) => ({
    sends: request(['Expect: the-moon']), ends: true, upstream: 'nothing', back: { has: [...problemOf(417, 'expectation-failed'), /^connection: close\r$/im] },
  })),
  ...bothPaths('5.3 Expect in HTTP/1.0', 'an expectation in HTTP/1.0 is ignored', (request) => ({
    sends: request(['Expect: 100-continue'], { version: '1.0' }), play: OK, upstream: { has: ['/v1/x'], lacks: ['expect'] }, back: { has: [/^HTTP\/1\.1 200 /] },
  })),
  ...bothPaths('5.3 what undici refuses', 'Keep-Alive, TE and Expect are taken off before dispatch, so they are no error', (request) => ({
    sends: request(['Keep-Alive: timeout=1', 'TE: trailers', 'Expect: 100-continue', 'Connection: Keep-Alive, TE']), play: OK, upstream: { has: ['/v1/x'] }, back: { has: ['HTTP/1.1 200 '] },
  })),
  row('5.3 103 (guarded)', 'interim replies are forwarded (9110 15.2), without what concerns their connection', {
    sends: keyed(), play: EARLY, upstream: { has: [] }, back: { has: ['HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\n\r\nHTTP/1.1 200 OK\r\n'], lacks: ['x-hop'] },
  }),
  row('5.3 102 (guarded)', 'whatever their status', {
    sends: keyed(), play: { bytes: 'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 199 Odd\r\nX-A: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', then: 'wait' }, upstream: { has: [] }, back: { has: [/^HTTP\/1\.1 102 Processing\r\n\r\nHTTP\/1\.1 199 [^]*X-A: 1\r\n\r\nHTTP\/1\.1 200 /] },
  }),
  row('5.3 103 to HTTP/1.0', 'none goes to a client of HTTP/1.0', {
    sends: keyed([], { version: '1.0' }), play: EARLY, upstream: { has: [] }, back: { has: [/^HTTP\/1\.1 200 /], lacks: ['103'] },
  }),
  row('5.3 103 stored', 'none is stored: a replay begins with the final status', [
    { sends: keyed(), play: EARLY, upstream: { has: [] }, back: { has: ['HTTP/1.1 103 '] } },
    { sends: keyed(), upstream: 'nothing', back: { has: [/^HTTP\/1\.1 200 /, 'Idempotent-Replayed'], lacks: ['103', 'link'] } },
  ]),
  row('5.3 103 (passed)', 'interim replies are forwarded on pass routes, too', {
    sends: keyless(), play: EARLY, upstream: { has: [] }, back: { has: [/^HTTP\/1\.1 103 [^]*Link: <\/b\.js>\r\n\r\nHTTP\/1\.1 200 [^]*\r\n\r\n(ok|2\r\nok\r\n0\r\n\r\n)$/], lacks: ['x-hop'] },
  }),
  ...bothPaths('5.3 stray 100', 'a 100 that nobody asked for is harmless, and not passed on', (request) => ({
    sends: request(), play: CONTINUED, upstream: { has: [] }, back: { has: [/^HTTP\/1\.1 200 [^]*ok/], lacks: ['100 continue'] },
  })),
  row('5.3 stray 100 alone (guarded)', 'and no answer either', {
    sends: keyed(), play: { bytes: 'HTTP/1.1 100 Continue\r\n\r\n', then: 'close' }, upstream: { has: [] }, back: { has: problemOf(504, 'outcome-unknown') },
  }),
  row('5.3 101 unasked (guarded)', 'a switch of protocols that nobody asked for is no answer, and never storable', [
    { sends: keyed(), play: SWITCHED, upstream: { has: [] }, back: { has: problemOf(504, 'outcome-unknown'), lacks: [' 101 '] } },
    { sends: keyed(), upstream: 'nothing', back: { has: problemOf(504, 'outcome-unknown') } },
  ]),
  row('5.3 101 unasked (passed)', 'on a pass route it is 502', {
    sends: keyless(), play: SWITCHED, upstream: { has: [] }, back: { has: problemOf(502, 'upstream-failed'), lacks: [' 101 '] },
  }),
  row('5.3 Max-Forwards: 0 with OPTIONS', 'at 0 we are the last recipient (9110 7.6.2)', {
    sends: get(['Max-Forwards: 0'], { method: 'OPTIONS' }), upstream: 'nothing', back: { has: ['HTTP/1.1 204 '] },
  }),
  row('5.3 Max-Forwards: 3 with OPTIONS', 'else it goes on, less by one', {
    sends: get(['Max-Forwards: 3'], { method: 'OPTIONS' }), play: OK, upstream: { has: [/^max-forwards: 2\r$/im] }, back: { has: ['HTTP/1.1 200 '] },
  }),
  row('5.3 Max-Forwards: 3 with OPTIONS (guarded)', 'likewise with a key, where a route guards OPTIONS', {
    sends: keyed(['Max-Forwards: 3'], { method: 'OPTIONS', content: '\r\n' }), play: OK, upstream: { has: [/^Max-Forwards: 2\r$/m] }, back: { has: ['HTTP/1.1 200 '] },
  }, ANY),
  row('5.3 Max-Forwards: x', 'what is no number is ignored', {
    sends: get(['Max-Forwards: x'], { method: 'OPTIONS' }), play: OK, upstream: { has: [/^max-forwards: x\r$/im] }, back: { has: ['HTTP/1.1 200 '] },
  }),
  ...bothPaths('5.3 Max-Forwards with POST', 'for other methods it means nothing and travels', (request) => ({
    sends: request(['Max-Forwards: 0']), play: OK, upstream: { has: [/^max-forwards: 0\r$/im] }, back: { has: ['HTTP/1.1 200 '] },
  })),
  deviation('5.3 Max-Forwards: 0 with TRACE', 'the last recipient of a TRACE SHOULD reflect it', 'a reflection shows credentials to whoever can make a browser ask; it is not forwarded, and 501', {
    sends: get(['Max-Forwards: 0'], { method: 'TRACE' }), upstream: 'nothing', back: { has: problemOf(501, 'not-supported') },
  }),
  row('5.3 TRACE with content', 'a TRACE has no content: 400', {
    sends: keyless([], { method: 'TRACE' }), ends: true, upstream: 'nothing', back: { has: [...problemOf(400, 'request-invalid'), /^connection: close\r$/im] },
  }),
  row('5.3 CONNECT', 'a gateway refuses tunnels', {
    sends: 'CONNECT db.internal:5432 HTTP/1.1\r\nHost: db.internal:5432\r\n\r\n', ends: true, upstream: 'nothing', back: { has: [...problemOf(501, 'not-supported'), 'Connection: close\r\n'] },
  }),
  row('5.3 OPTIONS *', 'asks the server itself, and is answered here: undici sends no asterisk-form', {
    sends: get([], { method: 'OPTIONS', target: '*' }), upstream: 'nothing', back: { has: [/^HTTP\/1\.1 204 /] },
  }),
  row('5.3 OPTIONS with an empty absolute-form', 'is OPTIONS * in other words (9112 3.2.4)', {
    sends: get([], { method: 'OPTIONS', target: 'http://shop.example' }), upstream: 'nothing', back: { has: [/^HTTP\/1\.1 204 /] },
  }),
  row('5.3 client leaves after sending', 'a request that was sent ends upstream, and its reply is stored', [
    { sends: keyed(), leaves: true, play: plays(201, ['X-A: 1'], 'made'), upstream: { has: ['/v1/x'] }, back: { has: [] } },
    { sends: keyed(), play: plays(500, [], 'rerun'), upstream: 'nothing', back: { has: ['HTTP/1.1 201 ', 'Idempotent-Replayed: true', 'made'] } },
  ], WAITING),
  row('5.3 half-close (guarded)', 'a client that closed its sending side still reads (9112 9.6)', {
    sends: keyed(), halfCloses: true, ends: true, play: OK, upstream: { has: ['/v1/x'] }, back: { has: ['HTTP/1.1 200 ', 'ok'] },
  }),
  row('5.3 pipelining (guarded)', 'pipelined requests are answered in their order (9112 9.3.2), keyed ones, too', {
    sends: keyed() + keyed(['X-Second: 1'], { target: '/v1/x?2' }).replace('{key}', '{key}-2'), replies: 2, play: OK, upstream: { has: ['/v1/x ', '/v1/x?2 '] }, back: { has: [/HTTP\/1\.1 200 [^]*HTTP\/1\.1 200 /] },
  }),
  row('5.3 garbage behind a request', 'what cannot be read is not answered in place of what was', {
    sends: `${keyed()}GARBAGE\r\n\r\n`, ends: true, play: { bytes: '', then: 'wait' }, upstream: { has: [] }, back: { has: [], lacks: ['HTTP/1.1 400'] },
  }),
]

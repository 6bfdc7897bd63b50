import { bothPaths, deviation, get, keyed, keyless, OK, plays, problemOf, row, type Row } from './row.ts'

/* Section 5.2: where a message ends, and what follows if that is not certain. */

const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n'
const KEPT = 'routes: [{ name: any, match: { path: /* } }]'

/** Replies that nobody can trust, and what RFC 9209 calls them. */
const UNTRUSTED: readonly (readonly [string, string, ReturnType<typeof plays>])[] = [
  ['Content-Length: abc', 'an invalid Content-Length', plays(200, ['Content-Length: abc'])],
  ['Content-Length: -1', 'an invalid Content-Length', plays(200, ['Content-Length: -1'])],
  ['two Content-Lengths', 'two lengths', plays(200, ['Content-Length: 2', 'Content-Length: 3'], 'okk')],
  ['TE and CL', 'Content-Length beside Transfer-Encoding', plays(200, ['Content-Length: 2', 'Transfer-Encoding: chunked'], '2\r\nok\r\n0\r\n\r\n')],
  ['obs-fold', 'a folded line', plays(200, ['X-A: 1', ' 2'])],
  ['short body', 'a body shorter than its length', plays(200, ['Content-Length: 9'], 'ok', 'close')],
  ['missing last chunk', 'a chunked body without its last chunk', plays(200, ['Transfer-Encoding: chunked'], '2\r\nok\r\n', 'close')],
  ['bad chunk', 'a chunk size that is none', plays(200, ['Transfer-Encoding: chunked'], 'zz\r\nok\r\n')],
  ['no HTTP', 'bytes that are no HTTP', { bytes: 'SSH-2.0-x\r\n', then: 'close' }],
]

const SEEN_BEFORE_THE_BODY = new Set(['short body', 'missing last chunk', 'bad chunk'])

const CODED = plays(200, ['Transfer-Encoding: gzip'], 'ok', 'close')

const TRAILERS = plays(200, ['Transfer-Encoding: chunked', 'Trailer: X-Sum'], '2\r\nok\r\n0\r\nX-Sum: 7\r\nContent-Type: text/evil\r\nSet-Cookie: s=1\r\n\r\n')

export const FRAMING: readonly Row[] = [
  ...bothPaths('5.2 TE and CL', 'both together are an error, and the connection is closed (9112 6.1)', (request) => ({
    sends: request(['Content-Length: 6'], { content: CHUNKED }), ends: true, upstream: 'nothing', back: { has: [...problemOf(400, 'request-invalid'), 'Connection: close\r\n'] },
  })),
  ...['gzip', 'chunked, gzip', 'xchunked', 'chunked\r\nTransfer-Encoding: chunked'].flatMap((coding) => bothPaths(`5.2 Transfer-Encoding ${JSON.stringify(coding)}`, 'chunked not last: 400 and close (9112 6.3)', (request) => ({
    sends: request([], { content: `Transfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n` }), ends: true, upstream: 'nothing', back: { has: [...problemOf(400, 'request-invalid'), 'Connection: close\r\n'] },
  }))),
  ...bothPaths('5.2 Transfer-Encoding gzip, chunked', 'a coding that is not understood is 501', (request) => ({
    sends: request([], { content: 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n' }), ends: true, upstream: 'nothing', back: { has: [...problemOf(501, 'not-supported'), /^connection: close\r$/im] },
  })),
  ...bothPaths('5.2 Transfer-Encoding in HTTP/1.0', 'faulty framing: 400 and close', (request) => ({
    sends: request([], { version: '1.0', content: CHUNKED }), ends: true, upstream: 'nothing', back: { has: [...problemOf(400, 'request-invalid'), /^connection: close\r$/im] },
  })),
  ...['+1', '-1', '0x1', '1e0', '', '99999999999999999999', '1 1'].flatMap((length) => bothPaths(`5.2 Content-Length ${JSON.stringify(length)}`, 'an invalid Content-Length is 400 and close', (request) => ({
    sends: request([], { content: `Content-Length: ${length}\r\n\r\nx` }), ends: true, upstream: 'nothing', back: { has: [...problemOf(400, 'request-invalid'), 'Connection: close\r\n'] },
  }))),
  ...['1, 1', '1\r\nContent-Length: 1'].map((length) => deviation(`5.2 Content-Length ${JSON.stringify(length)}`, 'equal lengths may be collapsed into one', 'it is a MAY, and no honest client sends two: refused like lengths that differ', {
    sends: keyed([], { content: `Content-Length: ${length}\r\n\r\nx` }), ends: true, upstream: 'nothing', back: { has: [...problemOf(400, 'request-invalid'), 'Connection: close\r\n'] },
  })),
  ...bothPaths('5.2 bad chunk in a request', 'a broken chunk is 400 and close', (request) => ({
    sends: request([], { content: 'Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n' }), ends: true, upstream: { has: [], lacks: ['0\r\n\r\n'] }, back: { has: [...problemOf(400, 'request-invalid'), 'Connection: close\r\n'] },
  })),
  ...bothPaths('5.2 body cut off', 'a request whose body never came whole is not finished upstream', (request) => ({
    sends: request([], { content: 'Content-Length: 5\r\n\r\nx' }), halfCloses: true, ends: true, upstream: { has: [], lacks: ['xx'] }, back: { has: [], lacks: ['HTTP/1.1 200'] },
  })),
  row('5.2 recomputed length (guarded)', 'after buffering the length is what we hold, and it never stands beside Transfer-Encoding', {
    sends: keyed([], { content: 'Transfer-Encoding: chunked\r\n\r\n2;ext=1\r\nab\r\n1\r\nc\r\n0\r\n\r\n' }), play: OK, upstream: { has: [/content-length: 3\r\n\r\nabc$/i], lacks: ['transfer-encoding'] }, back: { has: ['HTTP/1.1 200 '] },
  }),
  row('5.2 chunked through (passed)', 'a chunked request is framed once upstream: in chunks, or with its length if it had ended by then', {
    sends: keyless([], { content: CHUNKED }), play: OK, upstream: { has: [/transfer-encoding: chunked[^]*\r\n\r\n1\r\nx\r\n0\r\n\r\n$|content-length: 1\r\n\r\nx$/i], lacks: [/content-length[^]*transfer-encoding|transfer-encoding[^]*content-length/i] }, back: { has: ['HTTP/1.1 200 '] },
  }),
  ...bothPaths('5.2 chunked reply', 'a chunked reply arrives whole and framed once', (request) => ({
    sends: request(), play: plays(200, ['Transfer-Encoding: chunked'], '2\r\nok\r\n2\r\nay\r\n0\r\n\r\n'), upstream: { has: [] },
    back: { has: [/\r\n\r\n(okay|2\r\nok\r\n2\r\nay\r\n0\r\n\r\n|4\r\nokay\r\n0\r\n\r\n)$/], lacks: [/content-length[^]*transfer-encoding|transfer-encoding[^]*content-length/i] },
  })),
  ...UNTRUSTED.flatMap(([name, what, play]) => [
    deviation(`5.2 ${name} in a reply (guarded)`, `${what} in a reply: discard, close, 502`, 'the upstream has the request and may have acted: for a key that is 504 outcome-unknown, the same for everybody who asks', [
      { sends: keyed(), play, upstream: { has: ['/v1/x'] }, back: { has: [...problemOf(504, 'outcome-unknown'), /error=(connection_terminated|http_response_incomplete)/], lacks: ['HTTP/1.1 200', '\r\n\r\nok'] } },
      { sends: keyed(), upstream: 'nothing', back: { has: problemOf(504, 'outcome-unknown'), lacks: ['idempotent-replayed'] } },
    ]),
    row(`5.2 ${name} in a reply (passed)`, SEEN_BEFORE_THE_BODY.has(name) ? `${what} in a reply: what had begun is broken off` : `${what} in a reply: discard, close, 502`, {
      sends: keyless(), play, upstream: { has: ['/v1/x'] },
      back: SEEN_BEFORE_THE_BODY.has(name) ? { has: [], lacks: [/0\r\n\r\n$/] } : { has: problemOf(502, 'upstream-failed'), lacks: ['HTTP/1.1 200'] },
    }),
  ]),
  deviation('5.2 coded reply (guarded)', 'a transfer coding that is not understood in a reply: 502', 'as above: 504 outcome-unknown', {
    sends: keyed(), play: CODED, upstream: { has: [] }, back: { has: problemOf(504, 'outcome-unknown') },
  }),
  deviation('5.2 whitespace before the colon in a reply', 'a response\'s whitespace before the colon is stripped', 'undici refuses the message, which is the safer end of the same rule', {
    sends: keyed(), play: plays(200, ['X-A : 1']), upstream: { has: [] }, back: { has: problemOf(504, 'outcome-unknown') },
  }),
  deviation('5.2 Transfer-Encoding in an HTTP/1.0 reply', 'faulty framing', 'undici does not tell the version of a reply; the chunks are decoded, their end is certain, and the connection is not used again', {
    sends: keyed(), play: { bytes: 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', then: 'close' }, upstream: { has: [] }, back: { has: ['Content-Length: 2\r\n', '\r\n\r\nok'], lacks: ['transfer-encoding'] },
  }),
  ...bothPaths('5.2 bytes behind a reply', 'bytes behind the stated length belong to no message: they reach nobody, and the connection is given up', (request) => ({
    sends: request(), play: plays(200, ['Content-Length: 2'], 'okHTTP/1.1 200 Evil\r\nContent-Length: 4\r\n\r\nevil'), upstream: { has: [] }, back: { has: [/ok/], lacks: ['evil'] },
  })),
  row('5.2 bytes behind a reply, replayed', 'nor are they stored', [
    { sends: keyed(), play: plays(200, ['Content-Length: 2'], 'okEVIL'), upstream: { has: [] }, back: { has: [/\r\n\r\nok$/] } },
    { sends: keyed(), upstream: 'nothing', back: { has: ['Idempotent-Replayed', /\r\n\r\nok$/] } },
    { sends: keyless(), play: plays(200, [], 'next'), upstream: { has: [] }, back: { has: ['next'], lacks: ['evil'] } },
  ]),
  row('5.2 broken off after the head left (guarded)', 'a streaming reply that breaks off breaks off downstream: no last chunk', [
    { sends: keyed(), play: plays(200, ['Content-Type: text/event-stream', 'Transfer-Encoding: chunked'], '8\r\ndata: x\n\r\n', 'close'), upstream: { has: [] }, back: { has: ['HTTP/1.1 200 '], lacks: [/0\r\n\r\n$/] } },
    { sends: keyed(), upstream: 'nothing', back: { has: problemOf(409, 'reply-not-kept') } },
  ]),
  ...bothPaths('5.2 204', 'a 204 has no body and no length, whatever its fields say (9110 8.6)', (request, path) => ({
    sends: request(), play: plays(204, path === 'guarded' ? ['Content-Length: 2'] : ['X-A: 1', 'Content-Length: 0'], ''), upstream: { has: [] }, back: { has: [/^HTTP\/1\.1 204 [^]*\r\n\r\n$/], lacks: [...(path === 'guarded' ? ['content-length'] : []), 'transfer-encoding', 'content-length: 2'] },
  })),
  row('5.2 204 replayed', 'stored and replayed it is the same', [
    { sends: keyed(), play: plays(204, ['Content-Length: 2', 'X-A: 1'], ''), upstream: { has: [] }, back: { has: ['HTTP/1.1 204 '] } },
    { sends: keyed(), upstream: 'nothing', back: { has: [/^HTTP\/1\.1 204 /, 'X-A: 1', 'Idempotent-Replayed'], lacks: ['content-length', 'transfer-encoding'] } },
  ]),
  row('5.2 HEAD (passed)', 'an answer to HEAD may state the length of the body that it has not', {
    sends: get([], { method: 'HEAD' }), play: plays(200, ['Content-Length: 5000'], ''), upstream: { has: ['HEAD /v1/x'] }, back: { has: [/^content-length: 5000\r$/im, /\r\n\r\n$/] },
  }),
  row('5.2 HEAD (guarded)', 'and is whole and storable without it: no length is checked', [
    { sends: keyed([], { method: 'HEAD', content: '\r\n' }), play: plays(200, ['Content-Length: 5000', 'X-A: 1'], ''), upstream: { has: ['HEAD /v1/x'] }, back: { has: ['Content-Length: 5000\r\n', /\r\n\r\n$/] } },
    { sends: keyed([], { method: 'HEAD', content: '\r\n' }), upstream: 'nothing', back: { has: ['X-A: 1', 'Idempotent-Replayed: true', /\r\n\r\n$/] } },
  ], KEPT),
  row('5.2 304 (guarded)', 'a 304 may state one, too', {
    sends: keyed([], { method: 'GET', content: '\r\n' }), play: plays(304, ['Content-Length: 77', 'ETag: "a"'], ''), upstream: { has: [] }, back: { has: ['HTTP/1.1 304 ', 'Content-Length: 77\r\n', /\r\n\r\n$/] },
  }, KEPT),
  row('5.2 304 (passed)', 'a 304 may state one, too', {
    sends: get(['If-None-Match: "a"']), play: plays(304, ['Content-Length: 77', 'ETag: "a"'], ''), upstream: { has: [] }, back: { has: ['HTTP/1.1 304 ', /\r\n\r\n$/], lacks: ['transfer-encoding'] },
  }),
  row('5.2 length of our own', 'a reply with neither length nor coding gets one when it is kept', [
    { sends: keyed(), play: { bytes: 'HTTP/1.1 200 OK\r\n\r\nuntil the end', then: 'close' }, upstream: { has: [] }, back: { has: ['Content-Length: 13\r\n', 'until the end'] } },
  ], 'defaults: { idempotency: { close_delimited: keep } }'),
  ...['X-A: 1\r\n 2', 'X-A : 1', 'X-A\t: 1', ' X-A: 1', ': 1', 'X(A: 1'].flatMap((line) => bothPaths(`5.2 line ${JSON.stringify(line)}`, 'obs-fold, whitespace before a colon, no token for a name: 400 (9112 5)', (request) => ({
    sends: request([line]), ends: true, upstream: 'nothing', back: { has: [...problemOf(400, 'request-invalid'), 'Connection: close\r\n'] },
  }))),
  ...bothPaths('5.2 bare LF', 'a line that ends with LF alone is refused', (request) => ({
    sends: request().replaceAll('\r\n', '\n'), ends: true, upstream: 'nothing', back: { has: problemOf(400, 'request-invalid') },
  })),
  row('5.2 trailers wanted', 'trailers go on to a client that said TE: trailers; what frames, describes or authenticates is no trailer (9110 6.5.1)', [
    { sends: keyed(['TE: trailers']), play: TRAILERS, upstream: { has: [], lacks: ['\nte:'] }, back: { has: ['Transfer-Encoding: chunked\r\n', 'Trailer: X-Sum\r\n', '2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n'], lacks: ['text/evil', 's=1', 'content-length'] } },
    { sends: keyed(['TE: trailers;q=0.5, trailers']), upstream: 'nothing', back: { has: ['Idempotent-Replayed', '2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n'], lacks: ['text/evil', 's=1'] } },
    { sends: keyed(), upstream: 'nothing', back: { has: ['Idempotent-Replayed', 'Content-Length: 2\r\n', /\r\n\r\nok$/], lacks: ['x-sum'] } },
  ]),
  row('5.2 trailers not wanted', 'they are dropped for others, and never become header fields', {
    sends: keyed(), play: TRAILERS, upstream: { has: [] }, back: { has: ['Content-Length: 2\r\n', /\r\n\r\nok$/], lacks: ['x-sum', 'text/evil'] },
  }),
  row('5.2 trailers over HTTP/1.0', 'HTTP/1.0 has no chunks and no trailers', {
    sends: keyed(['TE: trailers'], { version: '1.0' }), play: TRAILERS, upstream: { has: [] }, back: { has: [/\r\n\r\nok$/], lacks: ['x-sum', 'transfer-encoding'] },
  }),
  row('5.2 trailers behind a stream', 'a streaming reply has its trailers, too', {
    sends: keyed(['TE: trailers']), play: plays(200, ['Content-Type: text/event-stream', 'Transfer-Encoding: chunked'], '2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n'), upstream: { has: [] }, back: { has: ['2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n'] },
  }),
  row('5.2 trailers of a 204', 'a 204 cannot have any', {
    sends: keyed(['TE: trailers']), play: plays(204, ['Transfer-Encoding: chunked'], '0\r\nX-Sum: 7\r\n\r\n'), upstream: { has: [] }, back: { has: [/^HTTP\/1\.1 204 [^]*\r\n\r\n$/], lacks: ['x-sum', 'transfer-encoding'] },
  }),
  row('5.2 trailers (passed)', 'trailers of a passed reply go on', {
    sends: keyless(['TE: trailers']), play: TRAILERS, upstream: { has: [] }, back: { has: ['HTTP/1.1 200 ', /0\r\nX-Sum: 7\r\n/], lacks: ['text/evil'] },
  }),
  ...['guarded', 'passed'].map((path) => deviation(`5.2 trailers of a request (${path})`, 'a request\'s trailers are forwarded', 'undici sends none; discarding is allowed, merging into the header section is not', {
    sends: (path === 'guarded' ? keyed : keyless)([], { content: 'Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 7\r\n\r\n' }), play: OK, upstream: { has: [], lacks: ['x-sum'] }, back: { has: ['HTTP/1.1 200 '] },
  })),
]

import { bothPaths, deviation, get, keyed, keyless, OK, plays, problemOf, row, type Row } from './row.ts'

/* Section 5.1: header fields that concern one connection, those that travel, what a value may hold, Date. */

const HOP_BY_HOP = ['Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive', 'Proxy-Authorization: Basic eA==', 'TE: trailers', 'Upgrade: h2c', 'Trailer: X-T']
const HOP_NAMES = ['keep-alive: timeout=5\r', 'proxy-connection:', 'proxy-authorization:', '\nte:', 'upgrade:', '\ntrailer:']

const TRAILED = plays(200, ['Transfer-Encoding: chunked', 'Connection: X-Hop, X-Sum'], '2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Kept: 2\r\n\r\n')

export const HEADER_FORWARDING: readonly Row[] = [
  ...bothPaths('5.1 nominated in a request', 'fields that Connection names are removed, and Connection itself (9110 7.6.1)', (request) => ({
    sends: request(['Connection: X-Hop, close', 'X-Hop: 1', 'x-hop: 2', 'X-End: 3']), play: OK,
    upstream: { has: [/^x-end: 3\r$/im], lacks: ['x-hop', 'connection: x', 'connection: close'] }, back: { has: ['HTTP/1.1 200 '] },
  })),
  ...bothPaths('5.1 two Connection lines', 'all lines of Connection count', (request) => ({
    sends: request(['Connection: X-A', 'Connection: ,X-B ,', 'X-A: 1', 'X-B: 2']), play: OK, upstream: { has: [], lacks: ['x-a', 'x-b'] }, back: { has: ['HTTP/1.1 200 '] },
  })),
  ...bothPaths('5.1 nominated in a reply', 'fields that Connection names are removed on the way back', (request) => ({
    sends: request(), play: plays(200, ['Connection: X-Hop', 'X-Hop: 1', 'X-End: 2']), upstream: { has: ['/v1/x'] }, back: { has: [/^x-end: 2\r$/im], lacks: ['x-hop'] },
  })),
  row('5.1 nominated trailer (guarded)', 'trailer fields that Connection names are removed, too', {
    sends: keyed(['TE: trailers']), play: TRAILED, upstream: { has: [] }, back: { has: ['X-Kept: 2\r\n'], lacks: ['x-sum'] },
  }),
  row('5.1 nominated trailer (passed)', 'trailer fields that Connection names are removed, too', {
    sends: keyless(['TE: trailers']), play: TRAILED, upstream: { has: [] }, back: { has: ['HTTP/1.1 200 '], lacks: ['x-sum'] },
  }),
  ...bothPaths('5.1 hop-by-hop in a request', 'Proxy-Connection, Keep-Alive, TE, Upgrade, Trailer and Proxy-Authorization are removed, listed or not', (request) => ({
    sends: request(HOP_BY_HOP.filter((line) => !line.startsWith('Upgrade'))), play: OK, upstream: { has: ['/v1/x'], lacks: HOP_NAMES }, back: { has: ['HTTP/1.1 200 '] },
  })),
  ...bothPaths('5.1 hop-by-hop in a reply', 'and so they are on the way back', (request) => ({
    sends: request(), play: plays(200, HOP_BY_HOP.filter((line) => !line.startsWith('TE'))), upstream: { has: ['/v1/x'] }, back: { has: ['HTTP/1.1 200 '], lacks: HOP_NAMES },
  })),
  row('5.1 nominating the key', 'what we rely on is read before stripping, and who names it is refused (CVE-2026-33805)', {
    sends: keyed(['Connection: Idempotency-Key']), upstream: 'nothing', back: { has: problemOf(400, 'key-invalid') },
  }),
  row('5.1 nominating the credential', 'the credential headers of the route, too', {
    sends: keyed(['Connection: close, authorization']), upstream: 'nothing', back: { has: problemOf(400, 'request-invalid') },
  }),
  ...['Host', 'Via', 'Forwarded', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'Content-Length', 'Content-Type'].flatMap((name) =>
    bothPaths(`5.1 nominating ${name}`, 'nobody may ask for a field to be lost that we add or rely on', (request) => ({
      sends: request([`Connection: ${name.toLowerCase()}`]), upstream: 'nothing', back: { has: [...problemOf(400, 'request-invalid'), `the Connection field must not name ${name.toLowerCase()}`] },
    }))),
  row('5.1 nominating Authorization on a pass route', 'where nothing relies on it, the MUST of 7.6.1 stands and it is removed', {
    sends: keyless(['Connection: Authorization', 'Authorization: one']), play: OK, upstream: { has: ['/v1/x'], lacks: ['authorization'] }, back: { has: ['HTTP/1.1 200 '] },
  }),
  ...bothPaths('5.1 unknown fields', 'unrecognised fields are forwarded, both ways (9110 5.1)', (request) => ({
    sends: request(['X-Never-Heard-Of: 1', 'Idempotency_Key: x', '__proto__: y']), play: plays(200, ['X-Nor-Of: 2', 'constructor: z']),
    upstream: { has: [/^x-never-heard-of: 1\r$/im, /^idempotency_key: x\r$/im, /^__proto__: y\r$/im] }, back: { has: [/^x-nor-of: 2\r$/im, /^constructor: z\r$/im] },
  })),
  ...bothPaths('5.1 order of one name', 'lines of one name keep their order, both ways (9110 5.3)', (request) => ({
    sends: request(['X-A: 2', 'X-B: 9', 'X-A: 1', 'X-A: 3']), play: plays(200, ['X-C: 2', 'X-D: 9', 'X-C: 1']),
    upstream: { has: [/x-a: 2(\r\n|,)[^]*1[^]*3/i] }, back: { has: [/x-c: 2(\r\nx-d: 9)?(\r\nx-c: |, )1/i] },
  })),
  row('5.1 whole head (guarded)', 'what arrives upstream is the client\'s message, in its order and spelling, with ours behind', {
    sends: keyed(['x-ODD: 1 2\t3', 'Accept:']), play: OK,
    upstream: { has: [/^POST \/v1\/x HTTP\/1\.1\r\nhost: shop\.example\r\n/, 'Authorization: one\r\nIdempotency-Key: {key}\r\nx-ODD: 1 2\t3\r\nAccept: \r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: shop.example\r\nX-Forwarded-Proto: http\r\nVia: 1.1 {pseudonym}\r\n', /content-length: 1\r\n\r\nx$/] },
    back: { has: ['HTTP/1.1 200 '] },
  }),
  ...bothPaths('5.1 several Set-Cookie', 'Set-Cookie lines are never joined', (request) => ({
    sends: request(), play: plays(200, ['Set-Cookie: a=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT', 'Set-Cookie: b=2']), upstream: { has: [] },
    back: { has: [/^set-cookie: a=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT\r\nset-cookie: b=2\r$/im] },
  })),
  row('5.1 Set-Cookie stored', 'nor when replayed: they are not stored at all, since whoever replays would get the session; other lines replay in order', [
    { sends: keyed(), play: plays(200, ['Set-Cookie: a=1', 'Set-Cookie: b=2', 'Link: <b>', 'Link: <a>']), upstream: { has: [] }, back: { has: ['Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n'] } },
    { sends: keyed(), upstream: 'nothing', back: { has: ['Idempotent-Replayed: true', 'Link: <b>\r\nLink: <a>\r\n'], lacks: ['set-cookie'] } },
  ]),
  ...['a\0b', 'a\rb', 'a\nX-B: b', 'a\x01b'].flatMap((value) => bothPaths(`5.1 ${JSON.stringify(value)} in a request`, 'CR, LF and NUL in a value are refused (9110 5.5)', (request) => ({
    sends: request([`X-A: ${value}`]), ends: true, upstream: 'nothing', back: { has: [...problemOf(400, 'request-invalid'), 'Connection: close\r\n'] },
  }))),
  ...['a\0b', 'a\rb', 'a\nX-B: b'].flatMap((value) => [
    row(`5.1 ${JSON.stringify(value)} in a reply (guarded)`, 'CR, LF and NUL in a reply are no reply at all', {
      sends: keyed(), play: plays(200, [`X-A: ${value}`]), upstream: { has: [] }, back: { has: problemOf(504, 'outcome-unknown'), lacks: ['x-a', 'x-b'] },
    }),
    row(`5.1 ${JSON.stringify(value)} in a reply (passed)`, 'CR, LF and NUL in a reply are no reply at all', {
      sends: keyless(), play: plays(200, [`X-A: ${value}`]), upstream: { has: [] }, back: { has: problemOf(502, 'upstream-failed'), lacks: ['x-a', 'x-b'] },
    }),
  ]),
  ...bothPaths('5.1 bytes above ASCII', 'obs-text in values travels unchanged', (request) => ({
    sends: request(['X-A: caf\u00e9 \u00ff']), play: plays(200, ['X-B: \u00fcber']), upstream: { has: ['caf\u00e9 \u00ff'] }, back: { has: ['\u00fcber'] },
  })),
  row('5.1 no-transform (guarded)', 'content is never decoded or coded anew, live or stored (9110 7.7)', [
    { sends: keyed(['Accept-Encoding: identity']), play: plays(200, ['Content-Encoding: gzip', 'Cache-Control: no-transform'], '\x1f\x8b\x08\x00not gzip'), upstream: { has: ['Accept-Encoding: identity'] }, back: { has: ['Content-Encoding: gzip', '\r\n\r\n\x1f\x8b\x08\x00not gzip'] } },
    { sends: keyed(['Accept-Encoding: br']), upstream: 'nothing', back: { has: ['Content-Encoding: gzip', '\r\n\r\n\x1f\x8b\x08\x00not gzip', 'Idempotent-Replayed: true'] } },
  ]),
  row('5.1 no-transform (passed)', 'content is never decoded or coded anew', {
    sends: keyless(['Cache-Control: no-transform']), play: plays(200, ['Content-Encoding: gzip'], '\x1f\x8b\x08\x00not gzip'), upstream: { has: [] }, back: { has: ['\x1f\x8b\x08\x00not gzip'] },
  }),
  ...bothPaths('5.1 own version', 'each side is spoken to in our own version (9110 2.5)', (request) => ({
    sends: request([], { version: '1.0' }), play: { bytes: 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', then: 'close' },
    upstream: { has: [/^POST \/v1\/x HTTP\/1\.1\r\n/] }, back: { has: [/^HTTP\/1\.1 200 /] },
  })),
  deviation('5.1 HTTP/2', 'over HTTP/2, connection-specific fields make a message malformed (9113 8.2.2)', 'no HTTP/2 is spoken here yet; its preface is answered 505 and the connection closed', {
    sends: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ends: true, upstream: 'nothing', back: { has: [...problemOf(505, 'not-supported'), 'Connection: close'] },
  }),
  ...['HTTP/2.0', 'HTTP/0.9'].map((version) => row(`5.1 ${version} in the request line`, 'a version that is not spoken is 505 (9110 15.6.6)', {
    sends: `GET / ${version}\r\nHost: a\r\n\r\n`, upstream: 'nothing', back: { has: problemOf(505, 'not-supported') },
  })),
  ...bothPaths('5.1 Date missing', 'a recipient with a clock adds Date (9110 6.6.1)', (request) => ({
    sends: request(), play: OK, upstream: { has: [] }, back: { has: [/^date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r$/im] },
  })),
  ...bothPaths('5.1 Date present', 'and leaves the one that is there', (request) => ({
    sends: request(), play: plays(200, ['Date: Thu, 01 Jan 2026 00:00:00 GMT']), upstream: { has: [] }, back: { has: [/^date: Thu, 01 Jan 2026 00:00:00 GMT\r$/im], lacks: [/date:[^]*date:/i] },
  })),
  row('5.1 Date of a replay', 'open: a replay is a message of its own, and gets its own Date; Age would claim a cache', [
    { sends: keyed(), play: plays(200, ['Date: Thu, 01 Jan 2026 00:00:00 GMT', 'Age: 5']), upstream: { has: [] }, back: { has: ['Age: 5'] } },
    { sends: keyed(), upstream: 'nothing', back: { has: [/^date: /im, 'Idempotent-Replayed: true'], lacks: ['01 Jan 2026', '\nage:'] } },
  ]),
  row('5.1 our marks', 'marks that are ours are taken off an upstream\'s reply: it cannot claim a replay', {
    sends: keyed(), play: plays(200, ['Idempotent-Replayed: true', 'Idempotency-TTL: 1']), upstream: { has: [] }, back: { has: [/^Idempotency-TTL: 8\d{4}\r$/m], lacks: ['idempotent-replayed'] },
  }),
  row('5.1 a GET with a body-less head', 'nothing is added that frames a body where there is none', {
    sends: get(), play: OK, upstream: { has: [/^GET \/v1\/x HTTP\/1\.1\r\n/], lacks: ['content-length', 'transfer-encoding'] }, back: { has: ['HTTP/1.1 200 '] },
  }),
]

import { bothPaths, deviation, get, keyed, keyless, OK, plays, problemOf, row, type Row } from './row.ts'

/* Section 5.1, second half: Via, Forwarded and its kin, Host, the request target. */

const TRUSTING = 'service: charges\ntrust: { proxies: [127.0.0.0/8, "::1"] }'
const ALWAYS = 'service: charges\ntrust: { forwarded: always }'
const REWRITING = 'service: charges\nupstream_host: origin'

const CHAIN = ['X-Forwarded-For: 203.0.113.7', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: www.shop.example', 'X-Forwarded-Port: 443', 'Forwarded: for=203.0.113.7;proto=https']

export const ROUTING: readonly Row[] = [
  ...bothPaths('5.1 Via', 'a gateway sends Via with every request, with the received version and a pseudonym (9110 7.6.3)', (request) => ({
    sends: request(), play: OK, upstream: { has: [/^via: 1\.1 onceward-[\w-]{12}\r$/im] }, back: { has: ['HTTP/1.1 200 '] },
  })),
  ...bothPaths('5.1 Via from HTTP/1.0', 'the version in Via is the received one', (request) => ({
    sends: request([], { version: '1.0' }), play: OK, upstream: { has: [/^via: 1\.0 onceward-/im] }, back: { has: ['HTTP/1.1 200 '] },
  })),
  ...bothPaths('5.1 Via continued', 'members that are there keep their order, and ours is the last', (request) => ({
    sends: request(['Via: 1.0 fred, 1.1 p.example (Apache)', 'X-Between: 1', 'Via: HTTP/2 other']), play: OK,
    upstream: { has: [/via: 1\.0 fred, 1\.1 p\.example \(Apache\)[^]*HTTP\/2 other, 1\.1 \S+\r\n/i] }, back: { has: ['HTTP/1.1 200 '] },
  })),
  ...bothPaths('5.1 loop', 'a message is not forwarded to oneself: our own pseudonym in Via is a loop, found before any claim', (request) => ({
    sends: request(['Via: 1.1 fred', 'Via: 1.1 other, 1.1 {pseudonym} (again)']), upstream: 'nothing',
    back: { has: [...problemOf(502, 'loop-detected'), 'error=proxy_loop_detected'] },
  })),
  row('5.1 loop, key unharmed', 'the key of a request that was found in a loop is free', [
    { sends: keyed(['Via: 1.1 {pseudonym}']), upstream: 'nothing', back: { has: ['loop-detected'] } },
    { sends: keyed(), play: OK, upstream: { has: [] }, back: { has: ['HTTP/1.1 200 '] } },
  ]),
  ...bothPaths('5.1 chain of Oncewards', 'another process\'s pseudonym is a chain, no loop', (request) => ({
    sends: request(['Via: 1.1 onceward-AAAAAAAAAAAA']), play: OK, upstream: { has: [] }, back: { has: ['HTTP/1.1 200 '] },
  })),
  deviation('5.1 Via in replies', 'a gateway MAY send Via in replies', 'a replay is no forwarded message, and what we add ourselves is said by Proxy-Status; the upstream\'s own Via stays', {
    sends: keyed(), play: plays(200, ['Via: 1.1 inner']), upstream: { has: [] }, back: { has: ['Via: 1.1 inner\r\n'], lacks: ['onceward-'] },
  }),
  ...bothPaths('5.1 X-Forwarded-* from anybody', 'inbound values are not believed: they are replaced by ours', (request) => ({
    sends: request([...CHAIN, 'X_Forwarded_For: 203.0.113.8', 'X-Real-IP: 203.0.113.9']), play: OK,
    upstream: { has: [/^x-forwarded-for: 127\.0\.0\.1\r$/im, /^x-forwarded-proto: http\r$/im, /^x-forwarded-host: shop\.example\r$/im, /^forwarded: for=127\.0\.0\.1;host=shop\.example;proto=http\r$/im], lacks: ['203.0.113', 'www.shop', 'x-forwarded-port'] },
    back: { has: ['HTTP/1.1 200 '] },
  })),
  ...bothPaths('5.1 X-Forwarded-* from a trusted proxy', 'what a proxy in trust.proxies says is kept, and its own address is appended', (request) => ({
    sends: request(CHAIN), play: OK,
    upstream: { has: [/^x-forwarded-for: 203\.0\.113\.7, 127\.0\.0\.1\r$/im, /^x-forwarded-proto: https\r$/im, /^x-forwarded-host: www\.shop\.example\r$/im, /^x-forwarded-port: 443\r$/im, /^forwarded: for=203\.0\.113\.7;proto=https, for=127\.0\.0\.1;host=shop\.example;proto=http\r$/im] },
    back: { has: ['HTTP/1.1 200 '] },
  }), TRUSTING),
  ...bothPaths('5.1 X-Forwarded-* from a trusted proxy that says nothing', 'what is missing is added', (request) => ({
    sends: request(), play: OK, upstream: { has: [/^x-forwarded-for: 127\.0\.0\.1\r$/im, /^x-forwarded-proto: http\r$/im, /^x-forwarded-host: shop\.example\r$/im], lacks: ['\nforwarded:'] }, back: { has: ['HTTP/1.1 200 '] },
  }), TRUSTING),
  ...bothPaths('5.1 Forwarded always', 'Forwarded is written where the configuration says so; a host with a port is quoted (7239 4)', (request) => ({
    sends: request([], { host: ['shop.example:8443'] }), play: OK, upstream: { has: [/^forwarded: for=127\.0\.0\.1;host="shop\.example:8443";proto=http\r$/im] }, back: { has: ['HTTP/1.1 200 '] },
  }), ALWAYS),
  ...bothPaths('5.1 Forwarded by', 'no address of ours is told: `by` is left out', (request) => ({
    sends: request(), play: OK, upstream: { has: [/^forwarded: /im], lacks: ['by='] }, back: { has: ['HTTP/1.1 200 '] },
  }), ALWAYS),
  ...bothPaths('5.1 no Host', 'an HTTP/1.1 request without Host is 400 (9112 3.2)', (request) => ({
    sends: request([], { host: [] }), ends: true, upstream: 'nothing', back: { has: [...problemOf(400, 'request-invalid'), /^connection: close\r$/im] },
  })),
  ...bothPaths('5.1 no Host in HTTP/1.0', 'an HTTP/1.0 request needs none; upstream it gets the upstream\'s', (request) => ({
    sends: request([], { host: [], version: '1.0' }), play: OK, upstream: { has: [/^host: \{?127\.0\.0\.1:\d+\r$/im], lacks: ['x-forwarded-host'] }, back: { has: ['HTTP/1.1 200 '] },
  })),
  ...bothPaths('5.1 two Hosts', 'two Host lines are 400, equal or not', (request) => ({
    sends: request([], { host: ['shop.example', 'shop.example'] }), ends: true, upstream: 'nothing', back: { has: [...problemOf(400, 'request-invalid'), /^connection: close\r$/im] },
  })),
  ...['', 'a b', 'a/b', 'user@a', 'a,b', 'a:b', '[::1', 'a\u00e9'].flatMap((host) => bothPaths(`5.1 Host ${JSON.stringify(host)}`, 'an invalid Host is 400', (request) => ({
    sends: request([], { host: [host] }), upstream: 'nothing', back: { has: problemOf(400, 'request-invalid') },
  }))),
  ...['shop.example:8443', '[2001:db8::1]:80', '192.0.2.1', 'xn--bcher-kva.example', 'a_b.internal'].flatMap((host) => bothPaths(`5.1 Host ${host} preserved`, 'Host travels as it is by default', (request) => ({
    sends: request([], { host: [host] }), play: OK, upstream: { has: [`${host}\r\n`] }, back: { has: ['HTTP/1.1 200 '] },
  }))),
  ...bothPaths('5.1 Host rewritten', 'or is rewritten to the upstream\'s; the client\'s is in X-Forwarded-Host', (request) => ({
    sends: request(), play: OK, upstream: { has: ['{upstream}\r\n', /^x-forwarded-host: shop\.example\r$/im], lacks: ['\nhost: shop'] }, back: { has: ['HTTP/1.1 200 '] },
  }), REWRITING),
  ...bothPaths('5.1 absolute-form', 'Host is ignored and made from the target, which goes on in origin-form (9112 3.2.2)', (request) => ({
    sends: request([], { target: 'HTTP://shop.example:81/v1//x?a=%2F', host: ['evil.example'] }), play: OK,
    upstream: { has: [/^POST \/v1\/\/x\?a=%2F HTTP\/1\.1\r\n/, /^host: shop\.example:81\r$/im, /^x-forwarded-host: shop\.example:81\r$/im], lacks: ['evil'] }, back: { has: ['HTTP/1.1 200 '] },
  })),
  row('5.1 absolute-form without a path', 'an empty path is / (9112 3.2.1)', {
    sends: get([], { target: 'http://shop.example?a=1' }), play: OK, upstream: { has: ['GET /?a=1 HTTP/1.1\r\n'] }, back: { has: ['HTTP/1.1 200 '] },
  }),
  row('5.1 absolute-form and routes', 'what the target names is what routes see', {
    sends: keyless(['Authorization: one'], { target: 'http://pay.example/v1/x', host: ['shop.example'] }), upstream: 'nothing', back: { has: problemOf(400, 'key-missing') },
  }, 'routes: [{ name: pay, match: { method: POST, path: /v1/*, host: pay.example }, idempotency: { key: required } }]'),
  ...['ftp://a/x', 'http://u:p@a/x', 'http:///x', 'mailto:x', '/a#b', '*'].flatMap((target) => bothPaths(`5.1 target ${target}`, 'a target of another form is 400', (request) => ({
    sends: request([], { target }), upstream: 'nothing', back: { has: problemOf(400, 'request-invalid') },
  }))),
  row('5.1 path bytes (guarded)', 'path and query are not modified; normalised they are for routes alone (9110 7.7)', {
    sends: keyed([], { target: '/v1//a/./b/../c%7e%41;p=1?q=%2F..//&&=%zz' }), play: OK, upstream: { has: ['POST /v1//a/./b/../c%7e%41;p=1?q=%2F..//&&=%zz HTTP/1.1\r\n'] }, back: { has: ['HTTP/1.1 200 '] },
  }),
  deviation('5.1 encoded slash (guarded)', '%2F in a path is forwarded as it is', 'a path that two servers could read differently is a way around a route\'s policy; on every path it is 400', {
    sends: keyed([], { target: '/v1%2Fx' }), upstream: 'nothing', back: { has: problemOf(400, 'request-invalid') },
  }),
]

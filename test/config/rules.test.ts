import { test } from 'tap'
import { mistakesIn } from '../support/load-text.ts'

test('a retention outside of its bounds is a mistake where it was changed', async (t) => {
  t.strictSame(await mistakesIn('defaults: { idempotency: { retention: 60d } }'), [
    '1:39: defaults.idempotency.retention: found 60d; needed: retention at most retention_bounds.max, 30d by default; change one of them',
  ])
  t.strictSame(await mistakesIn('defaults: { idempotency: { retention: 30s, retention_bounds: { min: 1m } } }'), [
    '1:39: defaults.idempotency.retention: found 30s; needed: retention at least retention_bounds.min; change one of them',
  ])
  t.match(await mistakesIn('defaults: { idempotency: { retention_bounds: { max: 1h } } }'), [/^1:46: defaults.idempotency.retention_bounds: found a group of fields; needed: retention at most/])
  t.match(await mistakesIn('defaults: { idempotency: { retention_bounds: { min: 2h, max: 1h } } }'), [/min at most as long as max$/])
  t.strictSame(await mistakesIn('defaults: { idempotency: { retention: 60d, retention_bounds: { max: 60d } } }'), [])
})

test('a route is judged with what it takes from the defaults', async (t) => {
  const route = (idempotency: string) => `\nroutes: [{ name: a, match: { path: /a }, idempotency: { ${idempotency} } }]`
  t.match(await mistakesIn(`defaults: { idempotency: { retention_bounds: { max: 25h } } }${route('retention: 26h')}`), [/^2:68: routes\[0\].idempotency.retention: found 26h/])
  t.match(await mistakesIn(route('retention_bounds: { max: 1h }')), [/^2:75: routes\[0\].idempotency.retention_bounds/])
  t.strictSame(await mistakesIn(route('retention_bounds: { max: 90d }, retention: 60d')), [])
  t.equal((await mistakesIn(`defaults: { idempotency: { retention: 60d } }${route('lease: 5s')}`)).length, 1, 'a mistake of the defaults is told once')
})

test('a status in two lists is a mistake', async (t) => {
  t.strictSame(await mistakesIn('defaults: { status: { final: [500, 503], refused: [503], lost: [500] } }'), [
    '1:52: defaults.status.refused[0]: found 503; needed: a status in one list; it stands in final and in refused',
    '1:65: defaults.status.lost[0]: found 500; needed: a status in one list; it stands in final and in lost',
  ])
  t.match(await mistakesIn('defaults: { status: { lost: [500] } }\nroutes: [{ name: a, match: { path: /a }, status: { final: [500] } }]'), [/^2:.* routes\[0\].status.final/])
  t.strictSame(await mistakesIn('defaults: { status: { lost: [500] } }\nroutes: [{ name: a, match: { path: /a }, status: { final: [500], lost: [] } }]'), [])
})

test('two routes of one name, and the names of the fallbacks, are mistakes', async (t) => {
  const lines = await mistakesIn(['a', 'b', 'a', 'default', 'pass-through'].map((name) => `  - { name: ${name}, match: { path: /${name} } }`).reduce((text, line) => `${text}${line}\n`, 'routes:\n'))
  t.match(lines, [/^4:13: routes\[2\].name: found a;/, /^5:13: routes\[3\].name: found default;/, /^6:13: routes\[4\].name: found pass-through;/])
  t.equal(lines.length, 3)
})

test('a route that passes has none of the three groups', async (t) => {
  t.match(await mistakesIn('routes: [{ name: a, match: { path: /a }, pass: true, idempotency: {}, retry: {}, status: {} }]'), [/idempotency: found/, /retry: found/, /status: found/])
})

test('bodies that could never be held are a mistake', async (t) => {
  t.strictSame(await mistakesIn('limits: { request_body: 65MiB }'), ['1:25: limits.request_body: found 65MiB; needed: limits.request_body at most as large as limits.held_bodies, so that one body fits'])
  t.match(await mistakesIn('limits: { held_bodies: 1MiB }'), [/^1:24: limits.held_bodies: found 1MiB; needed: limits.request_body at most/])
  t.strictSame(await mistakesIn('limits: { held_bodies: 8MiB, request_body: 8MiB }'), [])
})

test('the listeners must differ, and the upstream must be somebody else', async (t) => {
  t.match(await mistakesIn('listen: 127.0.0.1:9901'), ['1:9: listen: found 127.0.0.1:9901; needed: another address than admin.listen has'])
  t.match(await mistakesIn('admin: { listen: 127.0.0.1:8080 }'), [/^1:18: admin.listen: found .* than listen has$/])
  t.match(await mistakesIn('upstream: http://localhost:8080'), [/where Onceward itself listens$/])
  t.match(await mistakesIn('upstream: http://127.0.0.1:9901'), [/where Onceward itself listens$/])
  t.match(await mistakesIn('', { upstream: 'http://127.0.0.1:8080' }), [/^--upstream: found http:\/\/127.0.0.1:8080; /])
  t.strictSame(await mistakesIn('listen: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }'), [])
})

test('paths that could never match, or say something else than they seem, are refused', async (t) => {
  const refused = async (path: string) => (await mistakesIn(`routes: [{ name: a, match: { path: ${JSON.stringify(path)} } }]`)).length === 1
  for (const path of ['v1', '', '/a?b', '/a#b', '/a/../b', '/a/./b', '/%7Euser', '/%2f', '/a%', '/*/a', '/a*', '/:', '/:1', '/a b', '/é', '/_onceward/x', '/_onceward', '\\a', '/a\n']) t.ok(await refused(path), path)
  for (const path of ['/', '/*', '/a/', '/a//b', '/a%20b', '/charges:cancel', '/:id/*', '/a.b~c', '/pkg.Service/Method']) t.notOk(await refused(path), path)
})

test('a header that an upstream would not see as it was sent is no condition', async (t) => {
  const route = (headers: string) => `routes: [{ name: a, match: { path: /a, headers: { ${headers} } } }]`
  t.strictSame(await mistakesIn(route('x-version: "2", X-Flag: "*"')), [])
  t.strictSame(await mistakesIn(route('Host: a')), ['1:51: routes[0].match.headers.Host: found Host; needed: another header; match.host is for this one'])
  t.match(await mistakesIn(route('TE: a')), [/needed: another header; this one belongs to the connection$/])
  t.match(await mistakesIn(route('"x y": a')), [/found x y; needed: the name of a header/])
  t.match(await mistakesIn(route('x-a: a, X-A: b')), [/^1:59: .*needed: every name once/])
  t.match(await mistakesIn(route('x-a: 2')), [/x-a: found 2; needed: the exact value in quotes such as "2"/])
  t.match(await mistakesIn('routes: [{ name: a, match: { path: /a, headers: [x-a] } }]'), [/found a list; needed: names with values such as \{x-version: "2"\}$/])
})

test('a host is a name, or any one label in front of a name', async (t) => {
  const route = (host: string) => `routes: [{ name: a, match: { path: /a, host: "${host}" } }]`
  for (const host of ['a', 'a.b.example', '*.example.com', '[::1]']) t.strictSame(await mistakesIn(route(host)), [], host)
  for (const host of ['*', '*.*.a', 'a.*', 'a:80', 'a..b', '.a', 'a b']) t.match(await mistakesIn(route(host)), [/needed: a host name/], host)
})

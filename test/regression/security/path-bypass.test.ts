import { test } from 'tap'
import { rawExchange } from '../../support/raw-client.ts'
import { scriptedUpstream, respond } from '../../support/scripted-upstream.ts'
import { startForTest } from '../../support/start-sidecar.ts'

const ROUTES = `
routes:
  - { name: admin, match: { path: /admin/* }, idempotency: { key: required } }
  - { name: rest, match: { path: /* }, pass: true }`

/** Other ways to write /admin/x: each is held to its route or refused. */
const SAME = [
  '/admin/x', '/admin/x/', '/admin', '/admin/', '/%61dmin/x', '/%61%64%6d%69%6e/x', '//admin/x', '///admin///x', '/./admin/x', '/admin/./x', '/y/../admin/x', '/y/%2e%2e/admin/x', '/y/.%2E/admin/x', '/y/%2e./admin/x',
  '/admin/x?a=/../open', '/admin/x#/../../open', '/admin%2Fx', '/admin%2fx', '/%2Fadmin/x', '/admin%5Cx', '/y/..%2Fadmin/x', '/y/..%5cadmin/x', '\\admin\\x', '/y\\..\\admin/x', '/admin\\x', '/admin%00/x', '/admin/x%00', '/%00/../admin/x',
  '/..', '/../admin/x', '/y/../../admin/x', '/%2e%2e/admin/x', '/admin%', '/admin%2', '/admin/%zz', '/%u0061dmin/x',
]

/** Other resources by RFC 3986, that a server which decodes twice, folds case or cuts parameters off takes for ours: refused, or forwarded as they are. */
const DOUBTFUL = ['/%2561dmin/x', '/y/%252e%252e/admin/x', '/admin%252Fx', '/ADMIN/x', '/admin%20/x', '/%20/admin/x', '/admin;a=1/x', '/;/admin/x', '/y/..;/admin/x', '/admin%3b/x', '/admin%ef%bc%8fx', '/admin./x']

test('no spelling of a path gets around the route that guards it', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: ROUTES })
  const ask = (target: string): Promise<string> => rawExchange(t, sidecar.address, `POST ${target} HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  for (const target of SAME) t.match(await ask(target), /^HTTP\/1\.1 4\d\d /, target)
  t.equal(upstream.requests.length, 0)
  for (const target of DOUBTFUL) {
    const before = upstream.requests.length
    if (/^HTTP\/1\.1 200 /.test(await ask(target))) t.ok(upstream.requests[before]?.startsWith(`POST ${target} HTTP/1.1\r\n`), `${target} arrives as it was sent`)
    else t.equal(upstream.requests.length, before, `${target} is refused before anybody sees it`)
  }
  t.match(await ask('/adminx'), /^HTTP\/1\.1 200 /, 'and what merely begins alike is another path')
  t.comment(`${SAME.length + DOUBTFUL.length} spellings`)
})

test('the paths that are ours cannot be reached under another spelling, and never reach the upstream', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: ROUTES })
  for (const target of ['/_onceward/x', '/%5Fonceward/x', '//_onceward', '/y/../_onceward/x', '/_onceward%2Fx', '/./_onceward']) {
    t.match(await rawExchange(t, sidecar.address, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 40[04] /, target)
  }
  for (const target of ['/%6detrics', '//metrics', '/metrics/../metrics', '/metrics%2F', '/metrics;a']) {
    t.notMatch(await rawExchange(t, sidecar.address, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`), /idempotency_key_total/, `${target}: clients are told no metrics`)
  }
  t.notOk(upstream.requests.some((request) => /^GET \S*_?onceward\//i.test(request)))
})

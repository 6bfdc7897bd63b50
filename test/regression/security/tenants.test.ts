import { test } from 'tap'
import { respond, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { startForTest } from '../../support/start-sidecar.ts'

const BY_TENANT_AND_PRINCIPAL = 'defaults: { idempotency: { credential_headers: [x-tenant-id, authorization] } }\nroutes: [{ name: all, match: { path: /* } }]'

interface Asker {
  readonly tenant: string
  readonly principal: string
  readonly path: string
  readonly method: string
}

/** Names whose joined forms collide: `a:b` + `c` and `a` + `b:c`, with and without a comma. */
const TENANTS = ['a:b', 'a'] as const
const PRINCIPALS = ['c', 'b:c'] as const

test('one key of two tenants, two principals, two paths and two methods: nobody is given a reply of somebody else', async (t) => {
  const askers = TENANTS.flatMap((tenant) => PRINCIPALS.flatMap((principal) => ['/v1/x', '/v1/y'].flatMap((path) => ['POST', 'PATCH'].map((method): Asker => ({ tenant, principal, path, method })))))
  const upstream = await scriptedUpstream(t, ({ socket, request }) => {
    const field = (name: string): string => new RegExp(`^${name}: (.*)\r$`, 'im').exec(request)?.[1] ?? ''
    respond(socket, 200, JSON.stringify([field('X-Tenant-Id'), field('Authorization'), ...request.split(' ', 2)]))
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: BY_TENANT_AND_PRINCIPAL })
  const first = new Map<string, Asker>()
  for (let round = 0; round < 2; round += 1) {
    for (const asker of askers) {
      const { tenant, principal, path, method } = asker
      const reply = await sidecar.post('k1', { path, method, headers: ['X-Tenant-Id', tenant, 'Authorization', principal] })
      const owner = first.get(`${tenant}\n${principal}`) ?? asker
      first.set(`${tenant}\n${principal}`, owner)
      const what = `${JSON.stringify(asker)} in round ${round}`
      if (owner !== asker) t.match(reply, { status: 422, problem: 'key-reused' }, what)
      else t.match(reply, { status: 200, body: JSON.stringify([tenant, principal, method, path]), headers: { 'idempotent-replayed': round === 0 ? undefined : 'true' } }, what)
    }
  }
  t.equal(upstream.requests.length, 4, 'each of the four identities ran its key once')
})

test('a part of an identity that is missing, or stands in another header, is another identity or none', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 200, `n${number}`))
  const sidecar = await startForTest(t, upstream.origin, { yaml: BY_TENANT_AND_PRINCIPAL })
  const identities: readonly (readonly string[])[] = [
    ['X-Tenant-Id', 'a', 'Authorization', 'b'], ['X-Tenant-Id', 'b', 'Authorization', 'a'], ['X-Tenant-Id', 'ab'], ['Authorization', 'ab'], ['X-Tenant-Id', 'a', 'X-Tenant-Id', 'b'],
    ['X-Tenant-Id', 'a, b'],
  ]
  for (const [nth, headers] of identities.entries()) t.match(await sidecar.post('k1', { headers }), { status: 200, body: `n${nth + 1}` }, headers.join(' '))
  t.match(await sidecar.post('k1', { headers: ['X-Tenant-Id', '', 'Authorization', 'ab'] }), { status: 200, body: 'n4' }, 'an empty field is none')
  t.match(await sidecar.post('k1', { headers: [] }), { status: 400, problem: 'identity-missing' })
  t.match(await sidecar.post('k1', { headers: ['Cookie', 'session=1'] }), { status: 400, problem: 'identity-missing' })
})

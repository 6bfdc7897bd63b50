import { test } from 'tap'
import { StoreUnavailable, type KeyStore } from '../../src/core/ports.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest, until } from '../support/start-sidecar.ts'

/** The real store, with some of its methods out of order for as long as `down` says so. */
function failing(down: { method: keyof KeyStore | null, written: 'no' | 'unknown', happens: boolean }): (authority: KeyStore) => KeyStore {
  return (authority) => new Proxy(authority, {
    get(target, name: keyof KeyStore) {
      const real = target[name].bind(target) as (...args: unknown[]) => Promise<unknown>
      return async (...args: unknown[]) => {
        if (down.method !== name) return await real(...args)
        if (down.happens) await real(...args)
        throw new StoreUnavailable(down.written, 'planted outage')
      }
    },
  })
}

test('a store that is gone before the claim means 503, and nothing is sent', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const down = { method: 'claim' as keyof KeyStore | null, written: 'no' as const, happens: false }
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: failing(down) } })
  t.match(await sidecar.post('k1'), { status: 503, problem: 'store-unavailable', headers: { 'retry-after': '1' } })
  t.equal(upstream.requests.length, 0)
  t.equal(await sidecar.metric('idempotency_key_total{outcome="unavailable",route="default"}'), 1)
  down.method = null
  t.match(await sidecar.post('k1'), { status: 200 })
})

test('a claim whose result nobody knows is given back, because nothing was sent', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const down = { method: 'claim' as keyof KeyStore | null, written: 'unknown' as const, happens: true }
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: failing(down) } })
  t.match(await sidecar.post('k1'), { status: 503, problem: 'store-unavailable' })
  down.method = null
  t.match(await until(() => sidecar.post('k1'), ({ status }) => status !== 409), { status: 200 }, 'the key is no doubt and no orphan')
  t.equal(upstream.requests.length, 1)
})

test('an outage between attempt and settle is waited out before anybody is answered', async (t) => {
  const down = { method: null as keyof KeyStore | null, written: 'no' as const, happens: false }
  const upstream = await scriptedUpstream(t, ({ socket }) => {
    down.method = 'complete'
    respond(socket, 200, 'ok')
    setImmediate(() => setImmediate(() => { down.method = null }))
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: failing(down) } })
  t.match(await sidecar.post('k1'), { status: 200, body: 'ok' })
  t.match(await sidecar.post('k1'), { headers: { 'idempotent-replayed': 'true' } })
})

test('a settle that outlasts the deadline is told as such, and its late success is replayed', async (t) => {
  const down = { method: 'complete' as keyof KeyStore | null, written: 'unknown' as const, happens: false }
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { retry: { deadline: 150ms } }', seams: { store: failing(down) } })
  const told = await sidecar.post('k1')
  t.match(told, { status: 503, problem: 'outcome-not-recorded' })
  t.match(JSON.parse(told.body), { may_have_run: true, safe_to_retry: true })
  down.method = null
  t.match(await until(() => sidecar.post('k1'), ({ status }) => status !== 409), { status: 200, body: 'ok', headers: { 'idempotent-replayed': 'true' } })
  t.equal(upstream.requests.length, 1)
})

test('a completion that was written although it reported an outage is recognised when it is repeated', async (t) => {
  const down = { method: 'complete' as keyof KeyStore | null, written: 'unknown' as const, happens: true }
  const upstream = await scriptedUpstream(t, ({ socket, number }) => {
    respond(socket, 200, `n${number}`)
    setTimeout(() => { down.method = null }, 30)
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: failing(down) } })
  t.match(await sidecar.post('k1'), { status: 200, body: 'n1' })
})

test('an unready store shows in /readyz', async (t) => {
  const down = { method: null as keyof KeyStore | null, written: 'no' as const, happens: false }
  const upstream = await scriptedUpstream(t, () => undefined)
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: failing(down) } })
  t.equal((await fetch(`${sidecar.adminAddress}/readyz`)).status, 200)
  down.method = 'census'
  const unready = await fetch(`${sidecar.adminAddress}/readyz`)
  t.equal(unready.status, 503)
  t.same(await unready.json(), { ready: false, reasons: ['store unavailable'] })
  t.equal((await fetch(`${sidecar.adminAddress}/healthz`)).status, 200)
})

test('a store that hangs costs every client its deadline and no more, duplicates included', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  let wake: () => void = () => undefined
  const hung = new Promise<void>((resolve) => { wake = resolve })
  const hanging = (authority: KeyStore): KeyStore => new Proxy(authority, {
    get(target, name: keyof KeyStore) {
      const real = target[name].bind(target) as (...args: unknown[]) => Promise<unknown>
      return name === 'claim' ? async (...args: unknown[]) => { await hung; return await real(...args) } : real
    },
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { retry: { deadline: 100ms } }', seams: { store: hanging } })
  const answers = await Promise.all([1, 2, 3].map(() => sidecar.post('k1')))
  for (const answer of answers) t.match(answer, { status: 503, problem: 'store-unavailable' })
  wake()
  t.match(await until(() => sidecar.post('k1'), ({ status }) => status !== 409 && status !== 503), { status: 200 }, 'and what was claimed too late is given back')
  t.equal(upstream.requests.length, 1)
})

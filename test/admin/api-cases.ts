import type { Test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest, type Running } from '../support/start-sidecar.ts'
import { startReceiver } from '../sink/webhook-receiver.ts'
import { Console } from './situation.ts'

/* What operators see and change through the admin API, on whichever store. */

export interface StoreUnderTest {
  /** the group `store` in YAML, for a database of its own; empty for the embedded one */
  fresh(): Promise<string>
}

const ROUTES = `
routes:
  - { name: charge, match: { method: POST, path: /charge }, idempotency: { scope: none }, retry: { attempts: 1 } }`

function itemsOf(body: Record<string, unknown>): Record<string, unknown>[] {
  return body['items'] as Record<string, unknown>[]
}

export function apiCases(suite: Pick<Test, 'test'>, store: StoreUnderTest): void {
  suite.test('a doubt is found by its key, resolved with a reply, and its client gets that; the trail says who and why', async (t) => {
    let lost = true
    const upstream = await scriptedUpstream(t, ({ socket }) => (lost ? void socket.resetAndDestroy() : respond(socket, 201, 'made')))
    const sidecar = await startForTest(t, upstream.origin, { yaml: `${await store.fresh()}${ROUTES}` })
    const admin = await Console.open(sidecar)
    t.match(await sidecar.post('secret-key-1', { path: '/charge' }), { problem: 'outcome-unknown' })
    lost = false
    const [listed] = itemsOf((await admin.ask(t, 'GET', '/keys')).body)
    t.match(listed, { state: 'uncertain', route: 'charge', cause: 'connection-lost', attempts: 1 })
    const found = await admin.ask(t, 'POST', '/keys/search', { key: 'secret-key-1' })
    t.strictSame(itemsOf(found.body), [listed])
    t.strictSame((await admin.ask(t, 'POST', '/keys/search', { key: 'another' })).body, { items: [], next: null })
    const operation = String(listed?.['operation'])
    const change = (verb: string, body: object) => admin.ask(t, 'POST', `/keys/${operation}/${verb}`, body)
    for (const [verb, body, status] of [
      ['resolve', { as: 'not-executed' }, 400], ['resolve', { as: 'not-executed', reason: ' ' }, 400], ['resolve', { as: 'completed', reason: 'x' }, 400], ['resolve', { as: 'maybe', reason: 'x' }, 400],
      ['resolve', { as: 'not-executed', reason: 'x', status: 200 }, 400], ['resolve', { as: 'completed', reason: 'x', status: 200, body_base64: '%' }, 400], ['resolve', { as: 'completed', reason: 'x', status: 200, bodi: '' }, 400],
      ['resolve', { as: 'completed', reason: 'x', status: '200' }, 400], ['evict', { reason: 'x' }, 409], ['forget', {}, 400],
    ] as const) t.equal((await change(verb, body)).status, status, JSON.stringify([verb, body]))
    t.match(await change('resolve', { as: 'completed', reason: ' found in the ledger ', status: 201, fields: [['X-Charge', 'ch_1']], body_base64: Buffer.from('made').toString('base64') }), { status: 200, body: { operation, done: 'resolve', flaws: [] } })
    t.match(await change('resolve', { as: 'not-executed', reason: 'x' }), { status: 409, body: { type: 'urn:onceward:problem:declined' } })
    t.match(await sidecar.post('secret-key-1', { path: '/charge' }), { status: 201, body: 'made', headers: { 'idempotent-replayed': 'true', 'x-charge': 'ch_1' } })
    t.equal(upstream.requests.length, 1)
    t.match((await admin.ask(t, 'GET', `/keys/${operation}`)).body, { record: { state: 'completed', status: 201, body_bytes: 4 }, acts: [{ verb: 'resolve', before: 'uncertain', by: 'loopback', reason: 'found in the ledger' }] })
    t.match(await change('evict', { reason: 'too personal' }), { status: 200 })
    t.match(await sidecar.post('secret-key-1', { path: '/charge' }), { status: 409, problem: 'reply-not-kept' })
    t.match(await change('forget', { reason: 'again, please' }), { status: 200 })
    t.match(await change('forget', { reason: 'again, please' }), { status: 404 })
    t.match(await sidecar.post('secret-key-1', { path: '/charge' }), { status: 201, headers: { 'idempotent-replayed': undefined } })
    t.strictSame(itemsOf((await admin.ask(t, 'GET', '/audit/keys')).body).map(({ verb, reason }) => [verb, reason]), [['forget', 'again, please'], ['evict', 'too personal'], ['resolve', 'found in the ledger']])
    t.strictSame(itemsOf((await admin.ask(t, 'GET', '/audit/keys?limit=1')).body).map(({ verb }) => verb), ['forget'])
    t.notMatch(sidecar.log(), /secret-key-1/)
  })

  suite.test('dead letters are listed page by page, redriven and discarded by what names them', async (t) => {
    let refuses = true
    const receiver = await startReceiver(t, (response) => void response.writeHead(refuses ? 422 : 200).end())
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'made'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: `${await store.fresh()}
sinks: { hook: { webhook: { url: { plain_http: "${receiver.url.href}" }, allow: [127.0.0.0/8] }, attempts: 1 } }
routes:
  - { name: charge, match: { method: POST, path: /charge }, idempotency: { scope: none }, outbox: { on: 2xx, sink: hook, type: charge.created, lane: "{key}" } }` })
    const admin = await Console.open(sidecar)
    for (const key of ['a', 'b', 'c']) t.match(await sidecar.post(key, { path: '/charge' }), { status: 201 })
    const letters = async (query = ''): Promise<Record<string, unknown>> => (await admin.ask(t, 'GET', `/dead-letters${query}`)).body
    await gathered(sidecar, 3)
    const all = itemsOf(await letters())
    t.match(all, [{ sink: 'hook', type: 'charge.created', attempts: 1, blocks: true, unbuilt: false, history: [{}] }, {}, {}])
    const first = await letters('?limit=2')
    t.strictSame(itemsOf(first), all.slice(0, 2))
    t.strictSame(await letters(`?limit=2&after=${String(first['next'])}`), { items: all.slice(2), next: null })
    t.strictSame(await letters('?lane=b'), { items: all.filter(({ lane }) => lane === 'b'), next: null })
    t.match((await admin.ask(t, 'GET', `/dead-letters/${String(all[0]?.['id'])}`)).body, all[0] ?? {})
    t.match(await admin.ask(t, 'GET', '/dead-letters/evt_none'), { status: 404 })
    t.match((await admin.ask(t, 'GET', '/sinks')).body, { items: [{ sink: 'hook', kind: 'webhook', dead_letters: 3 }] })
    t.match(await admin.ask(t, 'POST', '/dead-letters/redrive', { reason: 'all' }), { status: 400 }, 'nobody means all of them by saying nothing')
    t.match(await admin.ask(t, 'POST', '/dead-letters/discard', { lane: 'b', reason: 'not wanted' }), { status: 200, body: { discarded: 1 } })
    refuses = false
    t.match(await admin.ask(t, 'POST', '/dead-letters/redrive', { sink: 'hook', reason: 'mended' }), { status: 200, body: { redriven: 2, unbuilt: [] } })
    await gathered(sidecar, 0)
    t.strictSame(itemsOf((await admin.ask(t, 'GET', '/audit/dead-letters')).body).map(({ verb, lane, by, reason }) => [verb, lane, by, reason]).toSorted((a, b) => String(a).localeCompare(String(b))), [
      ['discard', 'b', 'loopback', 'not wanted'], ['redrive', 'a', 'loopback', 'mended'], ['redrive', 'c', 'loopback', 'mended'],
    ])
  })

  /** Resolves once so many dead letters are there. */
  async function gathered(sidecar: Running, dead: number): Promise<void> {
    for (let tries = 0; await sidecar.metric('dead_letter_queue_depth{sink="hook"}') !== dead || await sidecar.metric('outbox_lag_seconds{sink="hook"}') !== 0; tries += 1) {
      if (tries > 400) throw new Error(`not ${dead} dead letters`)
      await new Promise((resolve) => { setTimeout(resolve, 25) })
    }
  }

  suite.test('what shadowed routes would have done is told', async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'made'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: `${await store.fresh()}
routes: [{ name: charge, match: { method: POST, path: /charge }, idempotency: { scope: none, mode: shadow } }]` })
    const admin = await Console.open(sidecar)
    await sidecar.post('a', { path: '/charge' })
    const counted = async (): Promise<unknown> => (itemsOf((await admin.ask(t, 'GET', '/shadow')).body).find(({ route }) => route === 'charge') as { outcomes: Record<string, number> }).outcomes['new']
    for (let tries = 0; await counted() !== 1; tries += 1) {
      if (tries > 400) throw new Error('it was not counted')
      await new Promise((resolve) => { setTimeout(resolve, 25) })
    }
  })

  suite.test('policies are those in force, and a request is explained by them', async (t) => {
    const yaml = `${await store.fresh()}
routes:
  - { name: charge, match: { method: POST, path: /charge }, idempotency: { scope: { header: x-tenant }, lease: 90s } }
  - { name: rest, match: { path: "/*" }, pass: true }`
    const sidecar = await startForTest(t, 'http://127.0.0.1:1', { yaml })
    const admin = await Console.open(sidecar)
    const policies = itemsOf((await admin.ask(t, 'GET', '/policies')).body)
    t.match(policies, [{ route: 'charge', sentence: /guards/ }, { route: 'rest', sentence: /pass: true/, fields: [] }, {}, {}])
    t.match((policies[0] as { fields: object[] }).fields.find((field) => 'field' in field && field.field === 'idempotency.lease'), { value: '90s', origin: 'route' })
    const explain = async (method: string, target: string, headers: readonly (readonly [string, string])[] = []) => (await admin.ask(t, 'POST', '/explain', { method, target, headers })).body
    t.match(await explain('POST', '/charge', [['Idempotency-Key', 'a'], ['X-Tenant', 'b']]), { path: '/charge', tried: [{ route: 'charge', why_not: null }], treatment: { route: 'charge' }, fate: /runs once/, refused: false })
    t.match(await explain('POST', '/charge', [['Idempotency-Key', 'a']]), { fate: /400 identity-missing/, refused: true })
    t.match(await explain('GET', '/x'), { tried: [{ route: 'charge', why_not: 'it is for POST' }, { route: 'rest', why_not: null }], refused: false })
    t.match(await explain('GET', '/%2f'), { tried: [], treatment: null, refused: true })
    t.match(await admin.ask(t, 'POST', '/explain', { method: 'get', target: '/' }), { status: 400 })
    await sidecar.reconfigure(`upstream: http://127.0.0.1:1\n${yaml.replace('90s', '95s')}`)
    t.match(JSON.stringify((await admin.ask(t, 'GET', '/policies')).body), /"value":"95s"/)
  })

  suite.test('the overview counts keys', async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket, number }) => (number === 1 ? void socket.resetAndDestroy() : respond(socket, 201, 'made')))
    const sidecar = await startForTest(t, upstream.origin, { yaml: `${await store.fresh()}${ROUTES}` })
    const admin = await Console.open(sidecar)
    for (const key of ['a', 'b', 'c']) await sidecar.post(key, { path: '/charge' })
    t.match((await admin.ask(t, 'GET', '/overview')).body, { ready: true, reasons: [], keys: { in_flight: 0, uncertain: 1, completed: 2 }, store: { redis: false } })
  })
}

import { test, type Test } from 'tap'
import { StoreUnavailable } from '../../src/core/ports.ts'
import type { ShadowStore } from '../../src/core/shadow.ts'
import { heldUpstream } from '../support/held-upstream.ts'
import { answeringByPath, charge, countsOf, PASSED, sendAll, shadowed, TRAFFIC } from '../support/shadow-cases.ts'
import { startForTest } from '../support/start-sidecar.ts'

const LIMITS = 'limits: { request_body: 1MiB }\n'

for (const fingerprint of ['raw', 'json']) {
  test(`what enforcement did with a script of requests is what shadow mode counts, and everything passes (${fingerprint})`, async (t) => {
    const more = `, fingerprint: { mode: ${fingerprint} }`
    const [strict, lenient] = [await answeringByPath(t), await answeringByPath(t)]
    const enforcing = await startForTest(t, strict.origin, { yaml: LIMITS + charge('enforce', more) })
    const looking = await startForTest(t, lenient.origin, { yaml: LIMITS + charge('shadow', more) })
    await sendAll(enforcing)
    t.strictSame(await sendAll(looking), PASSED, 'every client got the upstream\'s own answer')
    t.equal(lenient.requests.length, TRAFFIC.length, 'the upstream saw all of it')
    const did = await countsOf(enforcing, 'idempotency_key_total', 'charge')
    t.strictSame(await shadowed(looking, TRAFFIC.length), did)
    for (const outcome of ['new', 'replay', 'mismatch', 'uncertain', 'missing', 'invalid']) t.ok((did[outcome] ?? 0) > 0, `${outcome} was among them`)
    t.strictSame(await countsOf(looking, 'idempotency_key_total', 'charge'), {}, 'nothing was enforced')
  })
}

test('a duplicate of a request that still runs passes, and is counted', async (t) => {
  const upstream = await heldUpstream(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: charge('shadow') })
  const first = sidecar.post('k')
  await upstream.arrived(1)
  const second = sidecar.post('k')
  await upstream.arrived(2)
  t.strictSame(await shadowed(sidecar, 1), { in_flight: 1 }, 'the first one counts by its end, as enforcement counts')
  upstream.letGo()
  t.strictSame((await Promise.all([first, second])).map(({ body }) => body), ['n1', 'n2'])
  await sidecar.post('k')
  t.strictSame(await shadowed(sidecar, 3), { new: 1, in_flight: 1, replay: 1 })
})

test('the upstream is sent what it is sent of a request that nobody looks at, and its answer comes back as it is', async (t) => {
  const upstream = await answeringByPath(t)
  const yaml = 'routes:\n  - { name: seen, match: { path: /seen/* }, idempotency: { mode: shadow } }\n  - { name: pass, match: { path: /pass/* }, idempotency: { key: ignored }, retry: { deadline: 30s } }\n'
  const sidecar = await startForTest(t, upstream.origin, { yaml })
  const stable = (text: string | undefined): string | undefined => text?.replace(/\/(seen|pass)\//, '/').replace(/run \d/, 'run')
  for (const path of ['charges', '404', '503?x=%7e']) {
    const answers = [await sidecar.post('"quoted"', { path: `/seen/${path}` }), await sidecar.post('"quoted"', { path: `/pass/${path}` })]
    const [one, other] = answers.map(({ status, headers, body }) => ({ status, headers: { ...headers, date: '' }, body: stable(body) }))
    t.strictSame(one, other)
    t.equal(stable(upstream.requests.at(-2)), stable(upstream.requests.at(-1)))
    t.match(upstream.requests.at(-2), /idempotency-key: "quoted"/i)
  }
})

test('a key that was first seen in shadow is new to enforcement, and the other way round, through reloads', async (t) => {
  const upstream = await answeringByPath(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: charge('shadow') })
  t.equal((await sidecar.post('k')).body, 'run 1')
  t.strictSame(await shadowed(sidecar, 1), { new: 1 })
  await sidecar.reconfigure(charge('enforce'))
  t.equal((await sidecar.post('k')).body, 'run 2', 'it runs')
  t.equal((await sidecar.post('k')).body, 'run 2', 'once')
  t.match(await sidecar.post('k', { body: 'other' }), { status: 422 })
  await sidecar.reconfigure(charge('shadow'))
  t.equal((await sidecar.post('k')).body, 'run 3', 'nothing is replayed any more')
  t.equal((await sidecar.post('f')).body, 'run 4')
  t.strictSame(await shadowed(sidecar, 3), { new: 2, replay: 1 }, 'the note of the first look is still there; what was enforced is not looked at')
  await sidecar.reconfigure(charge('enforce'))
  t.equal((await sidecar.post('k')).body, 'run 2', 'and enforcement has its own record again')
  t.equal(await sidecar.metric('onceward_config_reloads_total{result="refused"}'), 0)
  t.match(sidecar.log(), /mode: shadow: its requests pass WITHOUT PROTECTION/)
})

test('a line says what would have been done, by the digest of the key and the parts that differed', async (t) => {
  const upstream = await answeringByPath(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: charge('shadow') })
  await sidecar.post('a-secret-key')
  await sidecar.post('a-secret-key', { body: 'a secret body' })
  await sidecar.post(null)
  await shadowed(sidecar, 3)
  const lines = sidecar.log().split('\n').filter((line) => line.includes('"shadow.would"')).map((line) => JSON.parse(line) as Record<string, unknown>)
  t.match(lines.toSorted((a, b) => String(a['outcome']).localeCompare(String(b['outcome']))), [{ route: 'charge', outcome: 'mismatch', id: /^.{8}$/, differs: 'body', method: 'POST' }, { route: 'charge', outcome: 'missing', cause: 'key-missing' }])
  t.equal(lines.length, 2, 'what is new is worth no line')
  t.notMatch(sidecar.log(), /secret/)
})

/** Notes that fail, or hang, as the test says. */
class Trouble {
  state: 'none' | 'fails' | 'hangs' = 'none'
  #letGo: (() => void)[] = []

  readonly shadow = (notes: ShadowStore): ShadowStore => {
    const through = async <T>(call: () => Promise<T>): Promise<T> => {
      if (this.state === 'hangs') await new Promise<void>((resolve) => { this.#letGo.push(resolve) })
      if (this.state === 'fails') throw new StoreUnavailable('no', 'planted outage')
      return await call()
    }
    return { look: (requests) => through(() => notes.look(requests)), end: (ends) => through(() => notes.end(ends)), sweepShadow: (limit) => notes.sweepShadow(limit) }
  }

  end(): void {
    this.state = 'none'
    for (const go of this.#letGo.splice(0)) go()
  }
}

test('store trouble touches no request, and is counted', async (t) => {
  const upstream = await answeringByPath(t)
  const trouble = new Trouble()
  const sidecar = await startForTest(t, upstream.origin, { yaml: charge('shadow'), seams: { shadow: trouble.shadow } })
  await sidecar.post('before')
  await shadowed(sidecar, 1)
  trouble.state = 'fails'
  for (let n = 0; n < 20; n += 1) t.equal((await sidecar.post(`k${n}`)).status, 200)
  t.strictSame(await shadowed(sidecar, 21), { new: 1, unknown: 20 })
  t.match(sidecar.log(), /shadow\.unknown/)
  trouble.end()
  const after = await recovered(t, (key) => sidecar.post(key), () => shadowed(sidecar, 0))
  t.ok((after['replay'] ?? 0) > 0, 'and what was noted before is known after')
})

test('over the bound of the queue nothing waits and nothing is looked up', async (t) => {
  const upstream = await answeringByPath(t)
  const trouble = new Trouble()
  const sidecar = await startForTest(t, upstream.origin, { yaml: charge('shadow'), seams: { shadow: trouble.shadow } })
  trouble.state = 'hangs'
  const sent = 4096 + 300
  let n = 0
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (n < sent) if ((await sidecar.post(`k${n++}`)).status !== 200) t.fail('a request was not served')
  }))
  t.equal(upstream.requests.length >= sent, true)
  const during = await countsOf(sidecar, 'onceward_shadow_total', 'charge')
  t.equal(during['unknown'], upstream.requests.length - 4096, 'so many found no place')
  trouble.end()
  t.match(await shadowed(sidecar, upstream.requests.length), { new: 4096 }, 'what had one is looked up once the store answers')
})

/** Asks until a key from before the trouble is recognised. */
async function recovered(t: Test, post: (key: string) => Promise<{ status: number }>, counts: () => Promise<Record<string, number>>): Promise<Record<string, number>> {
  for (let asked = 0; asked < 300; asked += 1) {
    t.equal((await post('before')).status, 200)
    const now = await counts()
    if ((now['replay'] ?? 0) > 0) return now
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
  return {}
}

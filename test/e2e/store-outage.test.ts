import { test, type Test } from 'tap'
import { StoreUnavailable, type KeyStore } from '../../src/core/ports.ts'
import { deferred } from '../support/deferred.ts'
import { heldUpstream } from '../support/held-upstream.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { replaced } from '../support/shared-store.ts'
import { startForTest, until, type Received } from '../support/start-sidecar.ts'

const OPEN = 'defaults: { idempotency: { store_outage: open } }'

/** A store whose claims fail as the test says, until it is healed. */
class Outage {
  authority: KeyStore | undefined
  #down: 'no' | 'unknown, and written' | 'unknown, and lost' | null

  constructor(down: 'no' | 'unknown, and written' | 'unknown, and lost' | null) {
    this.#down = down
  }

  heal(): void {
    this.#down = null
  }

  readonly store = (authority: KeyStore): KeyStore => {
    this.authority = authority
    return replaced(authority, {
      claim: async (request, givenUp) => {
        if (this.#down === null) return await authority.claim(request, givenUp)
        if (this.#down === 'unknown, and written') await authority.claim(request)
        throw new StoreUnavailable(this.#down === 'no' ? 'no' : 'unknown', 'planted outage')
      },
    })
  }
}

async function openDuring(t: Test, down: ConstructorParameters<typeof Outage>[0], yaml = OPEN) {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 200, `n${number}`, 'Idempotency-Unprotected: no', 'Idempotent-Replayed: true'))
  const outage = new Outage(down)
  return { upstream, outage, sidecar: await startForTest(t, upstream.origin, { yaml, seams: { store: outage.store } }) }
}

function isUnprotected({ headers }: Received): boolean {
  return headers['idempotency-unprotected'] === 'true'
}

test('with store_outage: open a request is sent once and unprotected while the store is gone, and says so everywhere', async (t) => {
  const { upstream, outage, sidecar } = await openDuring(t, 'no')
  const reply = await sidecar.post('k1')
  t.match(reply, { status: 200, body: 'n1' })
  t.equal(reply.headers['idempotency-unprotected'], 'true', 'ours, and not the upstream\'s')
  t.equal(reply.headers['idempotent-replayed'], undefined)
  t.equal(reply.headers['idempotency-ttl'], undefined, 'nothing was kept')
  t.match(String(reply.headers['proxy-status']), /received-status=200/)
  t.match(await sidecar.post('k1'), { status: 200, body: 'n2' }, 'this is what it costs: the retry runs again')
  t.equal(upstream.requests.length, 2)
  t.equal(await sidecar.metric('onceward_fail_open_total{route="default"}'), 2)
  t.equal(await sidecar.metric('idempotency_key_total{outcome="unavailable",route="default"}'), 2)
  t.match(sidecar.log(), /default says store_outage: open.*"msg":"config.warning"/)
  t.equal(sidecar.log().match(/"store.failed-open"/g)?.length, 1, 'two in a moment are one line')
  t.match(sidecar.log(), /"cause":"sent-unprotected"/)
  outage.heal()
  const kept = await sidecar.post('k1')
  t.match(kept, { status: 200, body: 'n3' })
  t.notOk(isUnprotected(kept))
  t.match(await sidecar.post('k1'), { body: 'n3', headers: { 'idempotent-replayed': 'true' } })
})

test('a claim of unknown result whose request was sent unprotected ends as a doubt, and never as free', async (t) => {
  const { upstream, outage, sidecar } = await openDuring(t, 'unknown, and written')
  t.ok(isUnprotected(await sidecar.post('k1')))
  outage.heal()
  t.match(await until(() => sidecar.post('k1'), ({ problem }) => problem !== 'in-flight'), { status: 504, problem: 'outcome-unknown' })
  t.match(await outage.authority?.find({ state: 'uncertain' }, 10), [{ cause: 'sent-unprotected', attempts: 1 }])
  t.equal(upstream.requests.length, 1)
})

test('a claim of unknown result that was never written leaves nothing behind', async (t) => {
  const { outage, sidecar } = await openDuring(t, 'unknown, and lost')
  t.ok(isUnprotected(await sidecar.post('k1')))
  outage.heal()
  t.match(await sidecar.post('k1'), { status: 200, body: 'n2' })
})

test('without store_outage: open a claim of unknown result is given back', async (t) => {
  const { upstream, outage, sidecar } = await openDuring(t, 'unknown, and written', '{}')
  t.match(await sidecar.post('k1'), { status: 503, problem: 'store-unavailable', headers: { 'retry-after': '1' } })
  outage.heal()
  t.match(await until(() => sidecar.post('k1'), ({ status }) => status !== 409), { status: 200, body: 'n1' })
  t.equal(await sidecar.metric('onceward_fail_open_total{route="default"}'), 0)
  t.equal(upstream.requests.length, 1)
})

test('a claim of unknown result is given back also where its lease ended during the outage: nothing was sent, so nothing is in doubt', async (t) => {
  const { upstream, outage, sidecar } = await openDuring(t, 'unknown, and written', 'defaults: { idempotency: { lease: 3s } }')
  t.match(await sidecar.post('k1'), { status: 503, problem: 'store-unavailable' })
  let doubts = 0
  while (doubts === 0) {
    await outage.authority?.reap(10)
    doubts = await outage.authority?.find({ state: 'uncertain' }, 10).then(({ length }) => length) ?? 0
    await new Promise((resolve) => { setTimeout(resolve, 50) })
  }
  outage.heal()
  t.match(await until(() => sidecar.post('k1'), ({ status }) => status === 200), { body: 'n1' })
  t.equal(upstream.requests.length, 1)
})

for (const policy of ['closed', 'open'] as const) {
  test(`a store that hangs is given claim_within, long before the deadline: store_outage: ${policy}`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 200, `n${number}`))
    const hung = deferred<null>()
    let authority: KeyStore | undefined
    const store = (own: KeyStore): KeyStore => {
      authority = own
      return replaced(own, { claim: async (request) => { await hung.promise; return await own.claim(request) } })
    }
    const sidecar = await startForTest(t, upstream.origin, { yaml: `defaults: { idempotency: { claim_within: 100ms, store_outage: ${policy} } }`, seams: { store } })
    const answers = await Promise.all([sidecar.post('k1'), sidecar.post('k2')])
    for (const answer of answers) {
      if (policy === 'closed') t.match(answer, { status: 503, problem: 'store-unavailable' })
      else t.ok(isUnprotected(answer) && answer.status === 200)
    }
    hung.resolve(null)
    const settled = await until(() => sidecar.post('k1'), ({ problem }) => problem !== 'in-flight' && problem !== 'store-unavailable')
    if (policy === 'closed') t.match(settled, { status: 200, body: 'n1' }, 'nothing had been sent, so the key was given back')
    else t.match(settled, { status: 504, problem: 'outcome-unknown' }, 'it had been sent, so the claim that came late is in doubt')
    const doubts = await authority?.find({ state: 'uncertain' }, 10)
    t.equal(doubts?.every(({ attempts }) => attempts === 1), true)
  })
}

test('duplicates that wait for a claim that hangs are told with it, and do not each wait for one of their own', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const [hung, begun] = [deferred<null>(), deferred<null>()]
  let claims = 0
  const store = (own: KeyStore): KeyStore => replaced(own, { claim: async (request) => { claims += 1; begun.resolve(null); await hung.promise; return await own.claim(request) } })
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { idempotency: { claim_within: 1s } }', seams: { store } })
  const first = sidecar.post('k1')
  await begun.promise
  for (const answer of await Promise.all([first, sidecar.post('k1'), sidecar.post('k1')])) t.match(answer, { status: 503, problem: 'store-unavailable' })
  t.equal(claims, 1)
  hung.resolve(null)
})

test('duplicates of one process do not run beside an unprotected request', async (t) => {
  const upstream = await heldUpstream(t)
  const outage = new Outage('no')
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { idempotency: { store_outage: open, in_flight: { wait: 10s } } }', seams: { store: outage.store } })
  const first = sidecar.post('k1')
  await upstream.arrived(1)
  const duplicates = Array.from({ length: 5 }, () => sidecar.post('k1'))
  t.match(await sidecar.post('k1', { body: '{"amount":2}' }), { status: 422, problem: 'key-reused' })
  upstream.letGo()
  for (const answer of [await first, ...await Promise.all(duplicates)]) t.ok(isUnprotected(answer) && answer.body === 'n1')
  t.equal(upstream.requests.length, 1)
})

test('an unprotected request is never sent twice, and is told at the deadline that nobody knows', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, request }) => {
    if (request.includes('k-reset')) socket.resetAndDestroy()
  })
  const outage = new Outage('no')
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { idempotency: { store_outage: open }, retry: { deadline: 200ms } }', seams: { store: outage.store } })
  t.match(await sidecar.post('k-reset'), { status: 504, problem: 'outcome-unknown' })
  t.match(await sidecar.post('k-silent'), { status: 504, problem: 'outcome-unknown' })
  t.equal(upstream.requests.length, 2)
})

test('an unprotected request that reached nobody says so', async (t) => {
  const outage = new Outage('no')
  const sidecar = await startForTest(t, 'http://127.0.0.1:1', { yaml: OPEN, seams: { store: outage.store } })
  t.match(await sidecar.post('k1'), { status: 502, problem: 'upstream-unreachable' })
})

test('an outage between attempt and settle is the same under store_outage: open: the outcome is not recorded in time, and lands later', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 200, `n${number}`))
  let down = true
  const store = (authority: KeyStore): KeyStore => replaced(authority, {
    complete: (claim, completion) => (down ? Promise.reject(new StoreUnavailable('unknown', 'planted outage')) : authority.complete(claim, completion)),
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { idempotency: { store_outage: open }, retry: { deadline: 150ms } }', seams: { store } })
  t.match(await sidecar.post('k1'), { status: 503, problem: 'outcome-not-recorded' })
  down = false
  t.match(await until(() => sidecar.post('k1'), ({ status }) => status !== 409), { status: 200, body: 'n1', headers: { 'idempotent-replayed': 'true' } })
  t.equal(upstream.requests.length, 1)
})

test('a sidecar with an open route stays ready without its store: else nobody could reach it then', async (t) => {
  const upstream = await scriptedUpstream(t, () => undefined)
  const gone = (authority: KeyStore): KeyStore => {
    let asked = 0
    return replaced(authority, { census: () => (asked++ === 0 ? authority.census() : Promise.reject(new StoreUnavailable('no', 'planted outage'))) })
  }
  for (const [yaml, status] of [[OPEN, 200], ['{}', 503]] as const) {
    const sidecar = await startForTest(t, upstream.origin, { yaml, seams: { store: gone } })
    t.equal((await fetch(`${sidecar.adminAddress}/readyz`)).status, status)
  }
})

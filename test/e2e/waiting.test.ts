import { test } from 'tap'
import { LocalWakeups } from '../../src/store/local-wakeups.ts'
import { heldUpstream } from '../support/held-upstream.ts'
import { replaced, sharedStore } from '../support/shared-store.ts'
import { startForTest, until } from '../support/start-sidecar.ts'

const WAITING = 'defaults: { idempotency: { in_flight: { wait: 10s } } }'

test('duplicates at another sidecar wait for the one answer, and are woken when it is settled', async (t) => {
  const upstream = await heldUpstream(t)
  const store = sharedStore()
  const wakeups = new LocalWakeups()
  const one = await startForTest(t, upstream.origin, { yaml: WAITING, seams: { store, wakeups } })
  const asked = { claims: 0, flags: 0, looks: 0 }
  const other = await startForTest(t, upstream.origin, { yaml: WAITING, seams: { wakeups, store: (own) => {
    const shared = store(own)
    return replaced(shared, {
      claim: (request, givenUp) => { asked.claims += 1; return shared.claim(request, givenUp) },
      flag: (id) => { asked.flags += 1; return shared.flag(id) },
      find: (by, limit) => { asked.looks += 1; return shared.find(by, limit) },
    })
  } } })
  const first = one.post('k1')
  await upstream.arrived(1)
  const waiters = Array.from({ length: 200 }, () => other.post('k1'))
  while (asked.flags === 0) await new Promise((resolve) => { setImmediate(resolve) })
  upstream.letGo()
  t.match(await first, { status: 200, body: 'n1' })
  for (const waiter of await Promise.all(waiters)) t.match(waiter, { status: 200, body: 'n1', headers: { 'idempotent-replayed': 'true' } })
  t.equal(upstream.requests.length, 1)
  t.ok(asked.claims < 100, `they did not all claim, but ${asked.claims} did`)
  t.ok(asked.looks < 100, `nor look, but ${asked.looks} did`)
})

test('a sidecar that stops sends back who waits for another one', async (t) => {
  const upstream = await heldUpstream(t)
  const store = sharedStore()
  const one = await startForTest(t, upstream.origin, { yaml: WAITING, seams: { store } })
  const other = await startForTest(t, upstream.origin, { yaml: WAITING, seams: { store }, graceMs: 50 })
  const first = one.post('k1')
  await upstream.arrived(1)
  const waiter = other.post('k1')
  await until(() => other.post('k1', { body: '{"amount":2}' }), ({ problem }) => problem === 'key-reused')
  await other.stop()
  t.match(await waiter, { status: 409, problem: 'in-flight' })
  upstream.letGo()
  t.match(await first, { status: 200 })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import httpProxy from '@fastify/http-proxy'
import { fastify } from 'fastify'
import { test, type Test } from 'tap'
import { parseArguments } from '../../src/cli/arguments.ts'
import { keys } from '../../src/cli/keys.ts'
import { StoreUnavailable, type KeyStore } from '../../src/core/ports.ts'
import type { ClaimRequest } from '../../src/core/record.ts'
import { systemClock } from '../../src/host/clock.ts'
import { openEmbeddedStore } from '../../src/store/sqlite/key-store.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { send, startForTest } from '../support/start-sidecar.ts'

/*
 * The invariants of DESIGN section 1, one test each. Every check runs twice: on the product, where it must find
 * nothing, and with a bug planted around it, where it must find something. A check that cannot fail checks nothing.
 */

type Plant = (authority: KeyStore) => KeyStore
type Finding = string | null

const SOUND: Plant = (authority) => authority

/** A store with some methods replaced. */
function replaced(authority: KeyStore, methods: Partial<KeyStore>): KeyStore {
  return new Proxy(authority, {
    get(target, name: keyof KeyStore) {
      return methods[name] ?? target[name].bind(target)
    },
  })
}

const releaseOnReset: Plant = (authority) => replaced(authority, { abandon: (claim) => authority.release(claim) })

test('I1 one execution: a request whose answer was lost is never sent again', async (t) => {
  const executions = async (plant: Plant): Promise<Finding> => {
    const upstream = await scriptedUpstream(t, ({ socket }) => socket.resetAndDestroy())
    const sidecar = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: plant } })
    for (let i = 0; i < 3; i += 1) await sidecar.post('k1')
    return upstream.requests.length === 1 ? null : `executed ${upstream.requests.length} times`
  }
  t.equal(await executions(SOUND), null)
  t.equal(await executions(releaseOnReset), 'executed 3 times')
})

test('I2 settle before answer: who hears an outcome finds it in the store', async (t) => {
  const settled = async (plant: Plant): Promise<Finding> => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
    let authority: KeyStore | undefined
    const sidecar = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: (real) => plant(authority = real) } })
    for (let i = 0; i < 20; i += 1) await sidecar.post(`k${i}`)
    const open = await authority?.find({ state: 'in_flight' }, 100)
    return open?.length === 0 ? null : 'answered before it was settled'
  }
  t.equal(await settled(SOUND), null)
  t.equal(await settled((authority) => replaced(authority, {
    complete: async (claim, completion) => {
      setTimeout(() => void authority.complete(claim, completion).catch(() => undefined), 50)
      return 'written'
    },
  })), 'answered before it was settled')
})

test('I3 ownership: a holder that was superseded changes nothing and learns it', async (t) => {
  const overwritten = async (plant: Plant): Promise<Finding> => {
    const { store } = await openStore(t, plant)
    const first = await store.claim(request({ holder: 'holder-one', leaseMs: 0, onOrphan: { kind: 'take', withinMs: 60_000 } }))
    const second = await store.claim(request({ holder: 'holder-two', leaseMs: 60_000, onOrphan: { kind: 'take', withinMs: 60_000 } }))
    if (first.kind !== 'claimed' || second.kind !== 'claimed') return 'the second could not take over'
    await store.complete(second.claim, { reply: kept('by the second'), attempts: 1, events: [] })
    const late = await store.complete(first.claim, { reply: kept('by the first'), attempts: 1, events: [] })
    const replay = await store.claim(request({ holder: 'holder-three' }))
    if (replay.kind !== 'replay' || replay.reply.kind !== 'kept') return 'there is no reply'
    const body = Buffer.from(replay.reply.reply.body).toString()
    return late === 'fenced' && body === 'by the second' ? null : `${late}, and the reply is ${body}`
  }
  t.equal(await overwritten(SOUND), null)
  t.not(await overwritten((authority) => replaced(authority, {
    complete: async (claim, completion) => {
      const [row] = await authority.find({ id: claim.id }, 1)
      return await authority.complete({ ...claim, holder: row?.holder ?? '', fence: row?.fence ?? 0 }, completion)
    },
  })), null, 'without the fence the late holder believes that it wrote')
})

test('I4 doubt is a state: it outlasts retention and is shown to everybody who asks', async (t) => {
  const doubt = async (plant: Plant): Promise<Finding> => {
    const upstream = await scriptedUpstream(t, ({ socket }) => socket.resetAndDestroy())
    let authority: KeyStore | undefined
    const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { idempotency: { retention: 1s, retention_bounds: { min: 1s, max: 1s } } }', seams: { store: (real) => plant(authority = real) } })
    await sidecar.post('k1')
    await new Promise((resolve) => { setTimeout(resolve, 1100) }) // the retention of a second has to pass
    await authority?.sweep(100)
    const again = await sidecar.post('k1')
    const census = await authority?.census()
    return again.problem === 'outcome-unknown' && census?.uncertain === 1 && upstream.requests.length === 1 ? null : 'the doubt is gone'
  }
  t.equal(await doubt(SOUND), null)
  t.equal(await doubt(releaseOnReset), 'the doubt is gone')
})

test('I5 the authority decides: when it is gone, nothing is sent on a guess', async (t) => {
  const guessed = async (plant: Plant): Promise<Finding> => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
    const outage: Plant = (authority) => replaced(authority, { claim: () => Promise.reject(new StoreUnavailable('no', 'planted outage')) })
    const sidecar = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: (authority) => plant(outage(authority)) } })
    const { status } = await sidecar.post('k1')
    return status === 503 && upstream.requests.length === 0 ? null : 'sent although no store knew'
  }
  t.equal(await guessed(SOUND), null)
  t.equal(await guessed((authority) => replaced(authority, {
    claim: async ({ id, holder, operationRef }) => await Promise.resolve({ kind: 'claimed', claim: { id, holder, fence: 1 }, recovering: false, operationRef, retainUntil: 0 }),
    complete: () => Promise.resolve('written'),
  })), 'sent although no store knew', 'failing open is seen')
})

test('I6 no leak: a stored reply is given only to who made it', async (t) => {
  const leaked = async (scope: string): Promise<Finding> => {
    const upstream = await scriptedUpstream(t, ({ socket, request: seen }) => respond(socket, 200, /authorization: (.*)\r/i.exec(seen)?.[1] ?? ''))
    const sidecar = await startForTest(t, upstream.origin, { yaml: `defaults: { idempotency: { scope: ${scope} } }` })
    const alice = await sidecar.post('k1', { headers: ['Authorization', 'Bearer alice'] })
    const bob = await sidecar.post('k1', { headers: ['Authorization', 'Bearer bob'] })
    if (alice.body !== 'Bearer alice') return 'alice got something else'
    return bob.body === 'Bearer bob' ? null : `bob got ${bob.body}`
  }
  t.equal(await leaked('credential'), null)
  t.equal(await leaked('none'), 'bob got Bearer alice', 'where the scope is spelled out as none, the check sees it')
})

test('I6 no leak: without a credential there is no identity to keep a key under', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  t.match(await sidecar.post('k1', { headers: [] }), { status: 400, problem: 'identity-missing' })
  t.equal(upstream.requests.length, 0)
})

test('I7 no event lost: an event commits with its completion, and with no other', async (t) => {
  const lost = async (plant: Plant): Promise<Finding> => {
    const { store, dataDir } = await openStore(t, plant)
    const claimed = await store.claim(request({ holder: 'holder-one' }))
    if (claimed.kind !== 'claimed') return 'no claim'
    const event = (id: string) => ({ id, sink: 'payments', lane: 'a', type: 'charge.created', payload: Buffer.from('{}'), flaw: null })
    await store.complete({ ...claimed.claim, fence: 9 }, { reply: kept('stale'), attempts: 1, events: [event('fenced')] })
    await store.complete(claimed.claim, { reply: kept('ok'), attempts: 1, events: [event('first')] })
    await store.complete(claimed.claim, { reply: kept('ok'), attempts: 1, events: [event('repeated')] })
    await store.close()
    const ids = committedEvents(dataDir)
    return ids.join() === 'first' ? null : `committed: ${ids.join()}`
  }
  t.equal(await lost(SOUND), null)
  t.equal(await lost(withoutEvents), 'committed: ')

  // from the request on: what the flow completes, and what an operator does with its doubts, brings its events
  const unheard = async (plant: Plant): Promise<Finding> => {
    const upstream = await scriptedUpstream(t, ({ socket, number }) => (number === 2 ? socket.resetAndDestroy() : respond(socket, number === 3 ? 500 : 201, '{"id":7}', 'Content-Type: application/json')))
    const dataDir = mkdtempSync(join(tmpdir(), 'onceward-invariant-'))
    t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
    writeFileSync(join(dataDir, 'onceward.yaml'), EVENTFUL)
    const sidecar = await startForTest(t, upstream.origin, { yaml: EVENTFUL, dataDir, seams: { store: plant } })
    for (const key of ['k1', 'k2', 'k3', 'k1']) await sidecar.post(key)
    await sidecar.stop()
    const command = parseArguments(['keys', 'resolve', '--key', 'k2', '--as', 'completed', '--status', '201', '--reason', 'r', '--config', join(dataDir, 'onceward.yaml'), '--data-dir', dataDir])
    if (command.kind !== 'keys') return 'no such command'
    await keys(command.command, command.flags, {}, { line: () => undefined, complaint: () => undefined })
    const count = committedEvents(dataDir).length
    return count === 2 ? null : `${count} events of 2 completions that are meant`
  }
  t.equal(await unheard(SOUND), null)
  t.equal(await unheard(withoutEvents), '1 events of 2 completions that are meant')
  t.equal(await unheard((authority) => replaced(authority, { claim: (wish, givenUp) => authority.claim({ ...wish, outbox: null }, givenUp) })), '1 events of 2 completions that are meant')
})

const withoutEvents: Plant = (authority) => replaced(authority, { complete: (claim, completion) => authority.complete(claim, { ...completion, events: [] }) })

const EVENTFUL = `
sinks: { payments: { webhook: { url: { plain_http: "http://127.0.0.1:9" } }, attempts: 1000 } }
routes: [{ name: charges, match: { path: /v1/charges }, outbox: { sink: payments, type: charge.created, data: { amount: "{body:/amount}" } } }]
`

test('I8 retries never multiply: the upstream sees the attempts of one loop, and no more', async (t) => {
  const ATTEMPTS = 3 // of the keyed one; the GET passes
  const multiplied = async (front: (origin: string) => Promise<string>): Promise<Finding> => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 503, 'no', 'Retry-After: 0.001'))
    const address = await front(upstream.origin)
    await send(address, 'k1', { method: 'GET' })
    await send(address, 'k1')
    return upstream.requests.length === 1 + ATTEMPTS ? null : `${upstream.requests.length} attempts for 2 requests`
  }
  t.equal(await multiplied(async (origin) => (await startForTest(t, origin, { yaml: `{ defaults: { retry: { attempts: ${ATTEMPTS}, base: 1ms } } }` })).address), null)
  t.equal(await multiplied(async (origin) => {
    const app = fastify().register(httpProxy, { upstream: origin, disableRequestLogging: true })
    t.teardown(() => app.close())
    return await app.listen({ host: '127.0.0.1', port: 0 })
  }), '12 attempts for 2 requests', "the plugin's own defaults are seen")
})

async function openStore(t: Test, plant: Plant): Promise<{ store: KeyStore, dataDir: string }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'onceward-invariant-'))
  const authority = await openEmbeddedStore({ dataDir, clock: systemClock() })
  t.teardown(async () => {
    await authority.close()
    rmSync(dataDir, { recursive: true, force: true })
  })
  return { store: plant(authority), dataDir }
}

function request(more: Partial<ClaimRequest>): ClaimRequest {
  return {
    id: 'A'.repeat(43), keyDigest: 'B'.repeat(22), operationRef: `op_${more.holder}`, fingerprint: 'C'.repeat(43), spec: '[1,"raw",[]]',
    parts: 'm.t.h.b', holder: 'holder', route: 'charge', leaseMs: 60_000, retentionMs: 60_000,
    onOrphan: { kind: 'hold' }, probe: null, outbox: null, ...more,
  }
}

function kept(body: string) {
  return { kind: 'kept' as const, reply: { status: 200, headers: [], body: Buffer.from(body), trailers: [] } }
}

function committedEvents(dataDir: string): unknown[] {
  const database = new DatabaseSync(join(dataDir, 'onceward.db'), { readOnly: true })
  try {
    return database.prepare('SELECT * FROM outbox_event').all().map((row) => row['event_id'] ?? row['id'])
  } finally {
    database.close()
  }
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { openStore } from '../../src/cli/open-store.ts'
import { loadFrom } from '../../src/config/load.ts'
import { keyDigest } from '../../src/core/key.ts'
import type { KeyRecord } from '../../src/core/record.ts'
import { systemClock } from '../../src/host/clock.ts'
import { askableService, listing, type AskableService, type Conduct } from './askable-service.ts'
import { SidecarProcess } from './sidecar-process.ts'
import { send, startForTest, until, type Received, type Running } from './start-sidecar.ts'

/*
 * The outbox of a route with the real product and a real store: a key is completed if and only if its event is committed,
 * whoever completes it. The sink is one that nobody reaches, so that what is committed stays where it is.
 */

export interface CommittedRow {
  readonly id: string
  readonly lane: string
  readonly payload: string
  /** null: it waits */
  readonly cause: string | null
}

export interface OutboxScene {
  /** for the configuration */
  readonly store: string
  /** of a sidecar that is stopped, in order */
  readonly rows: (dataDir: string) => Promise<readonly CommittedRow[]>
}

const YAML = `
sinks:
  payments:
    webhook: { url: { plain_http: "http://127.0.0.1:9" }, secrets: ["whsec_${Buffer.alloc(32).toString('base64')}"] }
    attempts: 1000
routes:
  - name: charges
    match: { method: POST, path: /v1/charges }
    idempotency:
      key: required
      lease: 3s
      scope: { header: x-tenant }
      when_unsure:
        probe:
          get: "/v1/charges?key={key}&account={identity}"
          quiet: 10m
          timeout: 300ms
          attempts: 2
          found: { pointer: /data/0 }
          absent: { status: [200], pointer: /data/0 }
          expect: { /data/0/account: "{identity}" }
          reply: { status: 201, pointer: /data/0 }
    outbox: { sink: payments, type: charge.created, lane: "{body:/customer}", data: { id: "{reply:/id}", amount: "{body:/amount}", tenant: "{identity}" } }
    retry: { attempts: 1, deadline: 3s }
`

const CHARGES: Conduct = { chargeAfterMs: 0, answers: true }
const LOST_AFTER_CHARGING: Conduct = { chargeAfterMs: 0, answers: false }

function charge(address: string, key: string, body = `{"customer":"c-7","amount":12.50}`): Promise<Received> {
  return send(address, key, { headers: ['Content-Type', 'application/json', 'X-Tenant', 'acme'], body })
}

export function outboxCases(suite: Test, sceneOf: () => Promise<OutboxScene>): void {
  suite.test('a request that completes has one event, and a replay none', async (t) => {
    const { store, rows } = await sceneOf()
    const { dataDir, start } = folderFor(t, await askableService(t, () => CHARGES), store)
    const sidecar = await start()
    t.match(await charge(sidecar.address, 'k1'), { status: 201 })
    t.match(await charge(sidecar.address, 'k1'), { status: 201, headers: { 'idempotent-replayed': 'true' } })
    t.match(await charge(sidecar.address, 'k2', 'no json'), { status: 201 }, 'an event that cannot be built costs the client nothing')
    await sidecar.stop()
    const [first, second, ...more] = await rows(dataDir)
    t.match(first, { id: /^evt_op_/, lane: 'c-7', cause: null })
    t.match(first?.payload, /"partitionkey":"c-7".*"data":\{"id":"ch_1","amount":12\.50,"tenant":"acme"\}\}$/)
    t.match(second, { lane: /^op_/, cause: /^lane: \{body:\/customer\}: the body of the request is no JSON/ })
    t.strictSame(more, [])
  })

  suite.test('what a question finds out brings its event: for the request that asks, and for a process that never saw it', { timeout: 60_000 }, async (t) => {
    const { store, rows } = await sceneOf()
    let mute = false
    const service = await askableService(t, () => LOST_AFTER_CHARGING, () => (response, charges, request) => {
      if (mute) response.writeHead(500).end()
      else listing(response, charges, request)
    })
    const { dataDir, start } = folderFor(t, service, store)
    const first = await start()
    t.match(await charge(first.address, 'own'), { status: 201 })
    mute = true
    t.match(await charge(first.address, 'swept', '{"customer":"c-8","amount":3}'), { problem: 'outcome-unknown' })
    await first.stop()
    mute = false
    const second = await start()
    await until(async () => ({ status: await second.metric('onceward_probes_total{result="found",route="charges"}'), headers: {}, body: '', problem: null }), ({ status }) => status === 1)
    await second.stop()
    const committed = await rows(dataDir)
    t.match(committed, [{ lane: 'c-7', cause: null, payload: /"amount":12\.50,"tenant":"acme"/ }, { lane: 'c-8', cause: null, payload: /"data":\{"id":"ch_2","amount":3,"tenant":"acme"\}/ }])
    t.equal(committed.length, 2)
  })

  suite.test('kill -9 under load: a key is completed if and only if its event is there', { timeout: 120_000 }, async (t) => {
    const { store, rows } = await sceneOf()
    const service = await askableService(t, () => ({ chargeAfterMs: Math.random() * 60, answers: true }))
    const { dataDir, config } = folderFor(t, service, store)
    const keys = Array.from({ length: 150 }, (_, n) => `key-${n}`)
    const sidecar = new SidecarProcess({ dataDir, config })
    t.teardown(() => sidecar.kill())
    await sidecar.start()
    const answered = new Set<string>()
    const killed = Promise.withResolvers<undefined>()
    await Promise.all(keys.map(async (key, n) => {
      await new Promise((resolve) => { setTimeout(resolve, n * 2) })
      const end = await charge(sidecar.origin, key).catch(() => null)
      if (end?.status === 201) answered.add(key)
      if (answered.size === 60) killed.resolve(sidecar.kill().then(() => undefined))
    }))
    await killed.promise
    const completed = (await recordsOf(dataDir, config, keys)).filter(({ state }) => state === 'completed')
    const events = (await rows(dataDir)).map(({ id }) => id)
    t.ok(answered.size >= 60 && completed.length < keys.length, `${answered.size} answered, ${completed.length} completed of ${keys.length}`)
    t.ok(completed.length >= answered.size, 'what was answered is completed')
    t.strictSame(events.toSorted(), completed.map(({ operationRef }) => `evt_${operationRef}`).toSorted())
  })
}

function folderFor(t: Test, service: AskableService, store: string): { readonly dataDir: string, readonly config: string, readonly start: () => Promise<Running> } {
  const dataDir = mkdtempSync(join(tmpdir(), 'onceward-outbox-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  const config = join(dataDir, 'onceward.yaml')
  writeFileSync(config, `upstream: ${service.origin}\n${YAML}${store}`)
  return { dataDir, config, start: () => startForTest(t, service.origin, { yaml: `${YAML}${store}`, dataDir }) }
}

async function recordsOf(dataDir: string, config: string, clientKeys: readonly string[]): Promise<readonly KeyRecord[]> {
  const loaded = await loadFrom({ config, dataDir }, {})
  if (loaded.kind === 'faulty') throw new Error(JSON.stringify(loaded.mistakes))
  const { keys: store } = await openStore(loaded.config, systemClock())
  try {
    const secret = await store.secret('none')
    return (await Promise.all(clientKeys.map((key) => store.find({ keyDigest: keyDigest(secret, key) }, 2)))).flat()
  } finally {
    await store.close()
  }
}

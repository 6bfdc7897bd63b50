import { openSync, writeFileSync, writeSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { startSidecar, type Seams } from '../../src/compose.ts'
import { loadConfig } from '../../src/config/load.ts'
import { keyDigest } from '../../src/core/key.ts'
import type { Checkpoint, KeyStore } from '../../src/core/ports.ts'
import type { RedisTarget } from '../../src/core/redis-target.ts'
import { chance } from './chance.ts'
import type { FromSidecar, SidecarOrder, ToSidecar } from './protocol.ts'
import { faulty, watched, withBug, withoutRenewals } from './sabotage.ts'
import { deafen, withStoreBug } from './stores/sabotage.ts'

/* One life of the real product, in a process of its own, with a death of its own: SIGKILL at a chosen point. */

const order = JSON.parse(process.argv[2] ?? '') as SidecarOrder
const { suicide } = order
let arrived = 0
let stalled: { readonly goOn: () => void } | null = null

function say(message: FromSidecar): void {
  process.send?.(message)
}

/** kill -9 of its own process: nothing is flushed, closed or told. The note is written by the kernel, not by us. */
function die(where: string): void {
  writeFileSync(order.deathNote, where)
  process.kill(process.pid, 'SIGKILL')
}

const checkpoint: Checkpoint = (step) => {
  if (suicide?.at === 'step' && suicide.step === step) {
    arrived += 1
    if (arrived === suicide.nth) die(step)
  }
  if (order.stallAt !== step || stalled !== null) return
  return new Promise((resolve) => {
    stalled = { goOn: resolve }
    say({ kind: 'stalled' })
  })
}

function sabotaged(authority: KeyStore, redis: RedisTarget | null): KeyStore {
  const dying = watched(authority, (write) => {
    if (suicide?.at !== 'write' || suicide.write !== write) return
    arrived += 1
    if (arrived === suicide.nth) setTimeout(() => die(`write ${write}`), suicide.delayMs)
  })
  const renewing = order.renewals === 'kept' ? dying : withoutRenewals(dying)
  return withStoreBug(withBug(faulty(renewing, order.storeFaults.share, chance(order.storeFaults.seed, 'store')), order.bug), order.bug, redis)
}

/** As an operator would: finds the record by the client's key and resolves it under the fence that was seen. */
async function resolve(authority: KeyStore, { key, as, body }: Extract<ToSidecar, { kind: 'resolve' }>): Promise<string> {
  const [record] = await authority.find({ keyDigest: keyDigest(await authority.secret(''), key) }, 1)
  if (record === undefined) return 'not found'
  const reply = { status: 200, headers: ['content-type', 'application/json'], body: Buffer.from(body), trailers: [] }
  return await authority.resolve(record.id, record.fence, as === 'not-executed' ? { as, operationRef: record.operationRef } : { as, reply: { kind: 'kept', reply }, events: [] }, { by: 'chaos', reason: 'the upstream was asked' })
}

async function live(): Promise<void> {
  const loaded = await loadConfig({ file: { name: 'chaos.yaml', text: order.yaml }, flags: {}, environment: {} })
  if (loaded.kind === 'faulty') throw new Error(loaded.mistakes.map((mistake) => JSON.stringify(mistake)).join('\n'))
  const { config } = loaded
  if (order.bug === 'deaf-to-notices') deafen()
  const log = openSync(order.logFile, 'a')
  const journal = { write: (line: string) => void writeSync(log, line) }
  let authority: KeyStore | undefined
  let shared: KeyStore | undefined
  const seams = (store: NonNullable<Seams['store']>): Seams => ({ checkpoint, store })
  const first = await startSidecar(config, journal, seams((own) => {
    authority = own
    shared = sabotaged(own, config.store.redis?.target ?? null)
    return shared
  }))
  const addresses = [first.address]
  if (order.replicas === 2) {
    const second = await startSidecar({ ...config, store: { ...config.store, dataDir: order.scratchDir } }, journal, seams((own) => shared ?? own))
    addresses.push(second.address)
  }
  process.on('message', (message: ToSidecar) => {
    if (message.kind === 'go-on') stalled?.goOn()
    else if (authority !== undefined) void resolve(authority, message).then((outcome) => say({ kind: 'resolved', outcome }), fail)
  })
  flushCompileCache()
  say({ kind: 'ready', addresses })
}

function fail(error: unknown): void {
  say({ kind: 'failed', error: error instanceof Error ? error.stack ?? error.message : String(error) })
}

process.on('disconnect', () => process.exit(0))
live().catch(fail)

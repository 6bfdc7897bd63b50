import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { systemClock } from '../../../src/host/clock.ts'
import { systemRandom } from '../../../src/host/random.ts'
import { openPostgresStore } from '../../../src/store/postgres/key-store.ts'
import type { KeyRecord } from '../../../src/core/record.ts'
import { chance, oneOf } from '../chance.ts'
import { Client, History, type Operation } from '../client.ts'
import type { RouteName } from '../protocol.ts'
import { readLedger, recordsOf } from '../store-dump.ts'
import { reported, type Ground, type Report } from '../trial.ts'
import { befall, type Fault } from './faults.ts'
import { Latencies } from './latency.ts'
import { Load } from './load.ts'
import { Scene, type SceneOptions } from './scene.ts'

/*
 * One trial: clients send keys to two sidecars while servers and sidecars are broken and healed; then everything is
 * asked to its end, at both, and what the upstream's ledger, the clients and the database say is compared.
 */

export interface StorePlan extends SceneOptions {
  readonly name: string
  readonly group: string
  readonly faults: readonly Fault[]
  /** with all well, before each fault and after the last one */
  readonly calmMs: number
  readonly lanes: number
  /** so many operations at least; without faults exactly so many */
  readonly keys: number
  readonly senders: readonly [least: number, most: number]
  readonly routes: readonly [RouteName, ...RouteName[]]
  readonly echoes: number
  readonly leavers: number
  /** what clients may be told beside answers */
  readonly trouble: 'expected' | 'none'
}

/** Longer than a lease of 3 s, a call's deadline and the longest pause between attempts to connect together. */
const HEALED_MS = 60_000

export async function runStoreTrial(plan: StorePlan, ground: Ground): Promise<Report> {
  const history = new History()
  const client = new Client(history)
  const latencies = new Latencies()
  history.listen(latencies.note)
  const scene = await Scene.open(plan, ground)
  const random = chance(plan.seed, 'addresses')
  const load = new Load({ ...plan, client, address: () => oneOf(random, [scene.addresses[0] ?? '', ...scene.addresses.slice(1)]) })
  const figures: string[] = []
  try {
    const enough = new AbortController()
    const from = performance.now()
    const asked = load.run(enough.signal, plan.faults.length === 0 ? plan.keys : Infinity)
    if (plan.faults.length === 0) await asked
    else await suffer(plan, scene, load, latencies, figures)
    while (load.operations.length < plan.keys) await after(20)
    enough.abort()
    await asked
    figures.push(`${history.askings.length} requests for ${load.operations.length} keys in ${((performance.now() - from) / 1000).toFixed(1)} s`)
    scene.upstream.say({ kind: 'heal' })
    const unended = await load.last(scene.live, HEALED_MS)
    const unused = await scene.unusedCache()
    await scene.close()
    const records = await dumpDatabase(scene.url, load.operations)
    const ledger = await readLedger(join(ground.dir, 'ledger'))
    return reported({ plan: { ...plan, operations: load.operations }, ledger, records, history, unended, trouble: plan.trouble, deaths: plan.faults.map(({ kind }) => kind), broken: unused, figures })
  } finally {
    client.close()
  }
}

/** One fault after the other, with figures of each. */
async function suffer({ faults, calmMs }: StorePlan, scene: Scene, load: Load, latencies: Latencies, figures: string[]): Promise<void> {
  await after(calmMs) // what is not compiled yet is slow
  const begun = performance.now()
  await after(calmMs)
  const usual = [begun, performance.now()] as const
  for (const fault of faults) {
    const from = performance.now()
    await befall(fault, { scene, load, measured: (figure) => figures.push(figure) })
    const healed = performance.now()
    await after(calmMs)
    // a fault of a moment has its effects after it
    figures.push(latencies.line(fault.kind, usual, [from, Math.max(healed, from + calmMs)]))
  }
}

async function dumpDatabase(url: string, operations: readonly Operation[]): Promise<Map<string, KeyRecord>> {
  const silent = { info: () => undefined, warn: () => undefined }
  const store = await openPostgresStore({
    url, clock: systemClock(), random: systemRandom(), journal: silent, schema: 'onceward', connections: 4, prepare: true, deadlineMs: 30_000, partitions: 1, migrate: 'by_hand', durability: 'replicated',
  })
  try {
    return await recordsOf(store, operations)
  } finally {
    await store.close()
  }
}

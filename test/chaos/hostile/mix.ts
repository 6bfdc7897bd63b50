import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { oneOf, chance } from '../chance.ts'
import { Nursery, startLife, type SidecarChild } from '../children.ts'
import type { Bug } from '../protocol.ts'
import { ATTACKS, type Target } from './attacks.ts'
import { GoodClient, keyOf, type Verdict } from './good-client.ts'
import { EXECUTION, startLedger, type Ledger } from './ledger.ts'

/*
 * A sidecar in a process of its own, hostile clients and well-behaved ones, side by side for a while. The hostile ones
 * may be told anything. The others must be served as if they were alone, and the ledger behind must agree.
 */

export interface Mix {
  readonly seed: number
  readonly seconds: number
  readonly bug: Bug | null
  readonly goodLanes: number
  readonly hostileLanes: number
}

export interface Outcome {
  readonly crashed: boolean
  readonly peakBytes: number
  readonly good: readonly Verdict[]
  readonly attacks: ReadonlyMap<string, number>
  readonly executedTwice: readonly string[]
  readonly smuggled: readonly string[]
  /** attacks that were given somebody else's reply */
  readonly leaked: readonly string[]
  readonly othersArrived: number
}

/** The figures that are judged; each must hold. */
export const PEAK_BAR_BYTES = 512 * 1024 * 1024

export function missed(outcome: Outcome): string[] {
  const harmed = outcome.good.filter(({ harm }) => harm !== null)
  return [
    ...(outcome.crashed ? ['the sidecar crashed'] : []),
    ...(outcome.peakBytes > PEAK_BAR_BYTES ? [`it took ${outcome.peakBytes >> 20} MiB`] : []),
    ...(outcome.good.length === 0 ? ['no well-behaved client was served at all'] : []),
    ...harmed.slice(0, 10).map(({ operation, harm }) => `${operation.name} (${operation.fate}): ${harm}`),
    ...(harmed.length > 10 ? [`and ${harmed.length - 10} more were harmed`] : []),
    ...outcome.executedTwice.slice(0, 10).map((name) => `${name} was executed more than once`),
    ...outcome.smuggled.slice(0, 10).map((request) => `smuggled: ${request}`),
    ...outcome.leaked.slice(0, 10).map((attack) => `somebody else's reply was given to ${attack}`),
  ]
}

export async function runMix(mix: Mix): Promise<Outcome> {
  const dir = await mkdtemp(join(tmpdir(), 'onceward-hostile-'))
  const nursery = new Nursery(join(dir, 'compile-cache'))
  const ledger = await startLedger()
  try {
    const { child, addresses } = await startLife({
      yaml: configText(ledger.origin, join(dir, 'data')), replicas: 1, scratchDir: join(dir, 'scratch'), logFile: join(dir, 'sidecar.log'), deathNote: join(dir, 'death'),
      suicide: null, stallAt: null, renewals: 'kept', storeFaults: { share: 0, seed: 0 }, bug: mix.bug,
    }, nursery)
    return await storm(mix, child, addresses[0] ?? '', ledger)
  } finally {
    await nursery.clear()
    await ledger.close()
    await rm(dir, { recursive: true, force: true })
  }
}

async function storm(mix: Mix, child: SidecarChild, address: string, ledger: Ledger): Promise<Outcome> {
  const client = new GoodClient(address, mix.seed)
  const over = AbortSignal.timeout(mix.seconds * 1000)
  const good: Verdict[] = []
  const attacks = new Map<string, number>()
  const leaked: string[] = []
  let drawn = 0
  const serve = async (): Promise<void> => {
    while (!over.aborted && child.alive) good.push(await client.serve(client.draw(`o${drawn += 1}`)))
  }
  const target: Target = { port: Number(new URL(address).port), stolenKey: () => keyOf(`o${Math.max(1, drawn - 3)}`) }
  const attack = async (lane: number): Promise<void> => {
    const random = chance(mix.seed, `hostile ${lane}`)
    while (!over.aborted && child.alive) {
      const [name, act] = oneOf(random, Object.entries(ATTACKS) as [[string, typeof ATTACKS[string]], ...[string, typeof ATTACKS[string]][]])
      const received = await act?.(target, random)
      attacks.set(name, (attacks.get(name) ?? 0) + 1)
      if (received?.includes(EXECUTION)) leaked.push(name)
    }
  }
  await Promise.all([...Array.from({ length: mix.goodLanes }, serve), ...Array.from({ length: mix.hostileLanes }, (_, lane) => attack(lane))])
  client.close()
  return {
    crashed: !child.alive,
    peakBytes: await peakOf(child),
    good, attacks, leaked,
    executedTwice: [...ledger.executions].filter(([, count]) => count > 1).map(([name]) => name),
    smuggled: ledger.smuggled,
    othersArrived: ledger.others(),
  }
}

/** The most that the process ever had resident, by the kernel's own mark; 0 once it is gone. */
async function peakOf(child: SidecarChild): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
}

function configText(origin: string, dataDir: string): string {
  return `
service: chaos
listen: 127.0.0.1:0
upstream: ${origin}
admin: { listen: 127.0.0.1:0 }
store: { data_dir: ${JSON.stringify(dataDir)} }
limits: { request_body: 512KiB, held_bodies: 32MiB }
routes:
  - { name: operations, match: { method: POST, path: /operations/* }, idempotency: { key: required } }
`
}

import { setTimeout as after } from 'node:timers/promises'
import type { PostgresServer } from '../../support/services/postgres.ts'
import type { Load } from './load.ts'
import { followed, type Caches, type Scene } from './scene.ts'

/* What happens to the servers and to the sidecars. Each fault heals what it broke, as far as somebody would. */

export type Fault =
  | { readonly kind: 'redis-flush' | 'redis-switch' }
  | { readonly kind: 'redis-kill' | 'redis-pause', readonly forMs: number }
  /** told to end, killed, or stopped; then up again after so long */
  | { readonly kind: 'postgres-restart' | 'postgres-kill' | 'postgres-pause', readonly forMs: number }
  /** all connections are ended from the server's side, the waiting ones too */
  | { readonly kind: 'postgres-terminate' }
  /** the standby is stopped for so long, and whoever waits for it is cancelled */
  | { readonly kind: 'standby-pause', readonly forMs: number }
  /** the primary is killed and stays down, its standby promoted */
  | { readonly kind: 'failover' }
  /** the same after the standby was away for a while in which whoever waited for it was cancelled */
  | { readonly kind: 'failover-behind', readonly forMs: number }
  /** the same, and one of the sidecars dies in the middle of that while, so that nobody insists on what it wrote */
  | { readonly kind: 'collapse', readonly place: number, readonly forMs: number }
  | { readonly kind: 'sidecar-kill', readonly place: number, readonly forMs: number }
  /** kill -9 without a return */
  | { readonly kind: 'sidecar-loss', readonly place: number }
  /** past its leases */
  | { readonly kind: 'sidecar-pause', readonly place: number, readonly forMs: number }

/** What is promised is 2 s; the figure is printed, and this is for machines on which a start takes ten times as long. */
const BACK_AT_MOST_MS = 30_000
const CANCEL_EVERY_MS = 15

export interface Broken {
  readonly scene: Scene
  readonly load: Load
  /** takes a line about what was measured */
  readonly measured: (figure: string) => void
}

export async function befall(fault: Fault, { scene, load, measured }: Broken): Promise<void> {
  switch (fault.kind) {
    case 'redis-flush': return void await cachesOf(scene).servers[0].command('FLUSHALL')
    case 'redis-switch': return cachesOf(scene).name.leadTo(cachesOf(scene).servers[1].port)
    case 'redis-kill': {
      const [redis] = cachesOf(scene).servers
      await redis.kill()
      await after(fault.forMs)
      return await redis.restart()
    }
    case 'redis-pause': {
      const [redis] = cachesOf(scene).servers
      redis.pause()
      await after(fault.forMs)
      return redis.resume()
    }
    case 'postgres-restart': case 'postgres-kill':
      await (fault.kind === 'postgres-kill' ? scene.primary.kill() : scene.primary.shutDown())
      await after(fault.forMs)
      await scene.primary.restart()
      return await back()
    case 'postgres-pause':
      scene.primary.pause()
      await after(fault.forMs)
      scene.primary.resume()
      return await back()
    case 'postgres-terminate':
      await scene.primary.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'onceward'")
      return await back()
    case 'standby-pause': {
      const standby = standbyOf(scene)
      standby.pause()
      measured(`${await cancelled(scene.primary, fault.forMs)} waits for a standby cancelled`)
      return standby.resume()
    }
    case 'failover': return await promoted()
    case 'failover-behind': case 'collapse': {
      const standby = standbyOf(scene)
      await standby.kill()
      measured(`${await cancelled(scene.primary, fault.forMs)} waits for a standby cancelled`)
      if (fault.kind === 'collapse') {
        await scene.killSidecar(fault.place)
        await cancelled(scene.primary, fault.forMs)
      }
      await promoted(() => standby.restart())
      return fault.kind === 'collapse' ? await scene.bear(fault.place) : undefined
    }
    case 'sidecar-kill':
      await scene.killSidecar(fault.place)
      await after(fault.forMs)
      return await scene.bear(fault.place)
    case 'sidecar-loss': return await scene.killSidecar(fault.place)
    case 'sidecar-pause':
      scene.signalSidecar(fault.place, 'SIGSTOP')
      await after(fault.forMs)
      return scene.signalSidecar(fault.place, 'SIGCONT')
    default: return fault satisfies never
  }

  /** From the moment at which the database takes connections (and has its standby back, if it waits for one) until both sidecars have answered a new key. */
  async function back(): Promise<void> {
    if (scene.standby !== null && scene.standby !== scene.primary) await followed(scene.primary)
    const from = performance.now()
    await Promise.all(scene.live.map((address) => load.served(address, BACK_AT_MOST_MS)))
    measured(`${fault.kind}: back ${Math.round(performance.now() - from)} ms after Postgres`)
  }

  async function promoted(before: () => Promise<void> = async () => undefined): Promise<void> {
    const standby = standbyOf(scene)
    await scene.primary.kill()
    await before()
    scene.primary = standby
    await standby.promote()
    await back()
  }
}

/** Cancels every wait for a standby during so long; returns how many there were. */
async function cancelled(primary: PostgresServer, forMs: number): Promise<number> {
  const over = AbortSignal.timeout(forMs)
  let count = 0
  while (!over.aborted) {
    count += (await primary.query("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")).length
    await after(CANCEL_EVERY_MS)
  }
  return count
}

function cachesOf(scene: Scene): Caches {
  if (scene.caches === null) throw new Error('a fault of a Redis that is not there')
  return scene.caches
}

function standbyOf(scene: Scene): PostgresServer {
  if (scene.standby === null) throw new Error('a fault of a standby that is not there')
  return scene.standby
}

import { join } from 'node:path'
import { startPostgres, type PostgresServer } from '../../support/services/postgres.ts'
import { startRedis, type RedisServer } from '../../support/services/redis.ts'
import { switchablePort, type SwitchablePort } from '../../support/switchable-port.ts'
import { startLife, startUpstream, type SidecarChild, type UpstreamChild } from '../children.ts'
import type { SidecarOrder, Weights } from '../protocol.ts'
import { configText, sidecarOrder, type Ground } from '../trial.ts'

/*
 * Everything that a trial may break, each in a process of its own:
 *
 *     clients --> two sidecars --> upstream with its ledger
 *                   |   '---> a name that leads to one of two Redis
 *                   '---> Postgres, and its synchronous standby if there is one
 */

export interface SceneOptions {
  readonly seed: number
  readonly weights: Weights
  readonly redis: boolean
  /** what a commit waits for on the standby; null: there is none */
  readonly standby: 'on' | 'remote_apply' | null
}

export interface Caches {
  readonly servers: readonly [RedisServer, RedisServer]
  readonly name: SwitchablePort
}

/** Longer than a claim may take, shorter than a client waits. */
const STORE_DEADLINE = '2s'
const PATIENCE = { deadline: '5s', linger: '60s' }
export const STANDBY = 'second'

interface Life {
  readonly child: SidecarChild
  readonly address: string
}

export class Scene {
  readonly upstream: UpstreamChild
  readonly caches: Caches | null
  readonly standby: PostgresServer | null
  /** that takes writes, as far as anybody knows */
  primary: PostgresServer
  readonly #ground: Ground
  readonly #yaml: string
  readonly #database: string
  readonly #lives: Life[] = []
  #births = 0

  private constructor(ground: Ground, servers: { upstream: UpstreamChild, caches: Caches | null, primary: PostgresServer, standby: PostgresServer | null, yaml: string, database: string }) {
    this.#ground = ground
    this.#yaml = servers.yaml
    this.#database = servers.database
    this.upstream = servers.upstream
    this.caches = servers.caches
    this.primary = servers.primary
    this.standby = servers.standby
  }

  static async open(options: SceneOptions, ground: Ground): Promise<Scene> {
    const ending = { teardown: (end: () => unknown): void => ground.nursery.add({ kill: async () => { await end() } }) }
    const primary = await startPostgres(ending)
    const database = new URL(await primary.createDatabase()).pathname
    const standby = options.standby === null ? null : await standbyOf(primary, options.standby, ending)
    const caches = options.redis ? await cachesOf(ending) : null
    const { child: upstream, origin } = await startUpstream({ ledger: join(ground.dir, 'ledger'), seed: options.seed, weights: options.weights, gated: false }, ground.nursery)
    const hosts = [primary, standby].flatMap((server) => (server === null ? [] : `127.0.0.1:${server.port}`))
    const store = `{ postgres: { url: "postgres://postgres@${hosts.join(',')}${database}", deadline: ${STORE_DEADLINE} }${caches === null ? '' : `, redis: "redis://127.0.0.1:${caches.name.port}"`} }`
    const scene = new Scene(ground, { upstream, caches, primary, standby, yaml: configText(origin, store, PATIENCE), database })
    await Promise.all([0, 1].map((place) => scene.bear(place)))
    return scene
  }

  /** Of the sidecars; what a dead one had leads nowhere. */
  get addresses(): readonly string[] {
    return this.#lives.map(({ address }) => address)
  }

  get live(): readonly string[] {
    return this.#lives.flatMap(({ child, address }) => (child.alive ? [address] : []))
  }

  /** The database as it is now, for whoever looks at it from outside. */
  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.primary.port}${this.#database}`
  }

  /** Starts the sidecar of this place, if it does not run. */
  async bear(place: number): Promise<void> {
    if (this.#lives[place]?.child.alive === true) return
    this.#births += 1
    const base = sidecarOrder('', this.#ground, String(this.#births), PATIENCE)
    const order: SidecarOrder = { ...base, yaml: this.#yaml }
    const { child, addresses: [address = ''] } = await startLife(order, this.#ground.nursery)
    this.#lives[place] = { child, address }
  }

  async killSidecar(place: number): Promise<void> {
    await this.#lives[place]?.child.kill()
  }

  signalSidecar(place: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
    const pid = this.#lives[place]?.child.pid
    if (pid !== undefined) process.kill(pid, signal)
  }

  /** A trial whose Redis holds nothing tests nothing. */
  async unusedCache(): Promise<string | null> {
    if (this.caches === null) return null
    const sizes = await Promise.all(this.caches.servers.map(async (server) => Number(await server.command('DBSIZE'))))
    return sizes.some((size) => size > 0) ? null : 'no Redis holds a reply at the end'
  }

  async close(): Promise<void> {
    await Promise.all(this.#lives.map(({ child }) => child.kill()))
  }
}

type Ending = Parameters<typeof startPostgres>[0]

async function standbyOf(primary: PostgresServer, waitsFor: 'on' | 'remote_apply', ending: Ending): Promise<PostgresServer> {
  // by default it looks for its primary every 5 s, and that one commits nothing meanwhile
  const standby = await primary.standby(ending, STANDBY, { settings: { wal_retrieve_retry_interval: '100ms' } })
  await primary.query(`alter system set synchronous_commit = '${waitsFor}'`)
  await primary.query(`alter system set synchronous_standby_names = '${STANDBY}'`)
  await primary.query('select pg_reload_conf()')
  await followed(primary)
  return standby
}

/** Until commits have a standby to wait for. */
export async function followed(primary: PostgresServer): Promise<void> {
  while ((await primary.query("select from pg_stat_replication where sync_state = 'sync'")).length === 0) await new Promise((resolve) => { setTimeout(resolve, 20) })
}

async function cachesOf(ending: Ending): Promise<Caches> {
  const servers = [await startRedis(ending), await startRedis(ending)] as const
  return { servers, name: await switchablePort(ending, servers[0].port) }
}

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { findDocker, runContainer } from './docker.ts'
import { freePort } from './free-port.ts'
import { findOrInstall, findProgram, say } from './programs.ts'
import { ServerProcess, serverFolder } from './server-process.ts'

/** As in redis.conf; a list is a setting that stands more than once. */
export type RedisSettings = Readonly<Record<string, string | number | readonly string[]>>

export interface RedisServer {
  readonly url: string
  readonly host: string
  readonly port: number
  /** sends one command; the reply as text, a list's elements joined by spaces */
  command(...words: readonly string[]): Promise<string>
  kill(): Promise<void>
  pause(): void
  resume(): void
  /** after a kill: the same port, other settings if there are any; nothing was saved */
  restart(settings?: RedisSettings): Promise<void>
  stop(): Promise<void>
  log(): string
}

export interface SentinelGroup {
  /** `host:port` of each sentinel */
  readonly sentinels: readonly string[]
  readonly masterName: string
  readonly master: RedisServer
  readonly replica: RedisServer
}

let shared: Promise<string> | null = null

export function redisIsAtHand(): boolean {
  return process.env['ONCEWARD_TEST_REDIS'] !== undefined || findRedis() !== null || findDocker() !== null
}

function findRedis(): string | null {
  return findOrInstall(() => findProgram('redis-server'), 'redis-server')
}

/** A Redis for whoever does not mind others: ONCEWARD_TEST_REDIS if that is set, else one for this process that ends with it. */
export function redisUrl(): Promise<string> {
  return shared ??= sharedServer()
}

async function sharedServer(): Promise<string> {
  const given = process.env['ONCEWARD_TEST_REDIS']
  if (given !== undefined) {
    say('Redis: the one of ONCEWARD_TEST_REDIS')
    return given
  }
  if (findRedis() !== null) return (await launch({})).url
  return `redis://127.0.0.1:${runContainer('redis:7', 6379, []).port}`
}

/** A server of the test's own, without persistence. Gone with the test. */
export async function startRedis(t: Pick<Test, 'teardown'>, settings: RedisSettings = {}): Promise<RedisServer> {
  const server = await launch(settings)
  t.teardown(() => server.stop())
  return server
}

async function launch(settings: RedisSettings, mode: readonly string[] = []): Promise<RedisServer> {
  const program = findRedis()
  if (program === null) throw new Error('no redis-server: see needs()')
  say(`Redis of the machine (${program})`)
  const folder = serverFolder('redis', null)
  const port = await freePort()
  const file = join(folder, 'redis.conf')
  const defaults: RedisSettings = { bind: '127.0.0.1', port, dir: folder, ...(mode.length > 0 ? {} : { save: '""', appendonly: 'no' }) }
  const configure = (more: RedisSettings): void => {
    const lines = Object.entries({ ...defaults, ...settings, ...more }).flatMap(([name, value]) => (typeof value === 'object' ? value : [value]).map((one) => `${name} ${one}`))
    writeFileSync(file, `${lines.join('\n')}\n`)
  }
  configure({})
  const process = new ServerProcess({ name: 'Redis', program, args: [file, ...mode], account: null, folder, probe: async () => { await call(port, ['PING']) }, stopSignal: 'SIGKILL' })
  await process.start()
  return {
    url: `redis://127.0.0.1:${port}`, host: '127.0.0.1', port,
    command: (...words) => command(port, ...words),
    kill: () => process.kill(),
    pause: () => process.pause(),
    resume: () => process.resume(),
    async restart(more = {}) {
      await process.kill()
      configure(more)
      await process.start()
    },
    stop: () => process.stop(),
    log: () => process.log(),
  }
}

/** One master, one replica and three sentinels that agree after half a second of silence. */
export async function startSentinels(t: Test): Promise<SentinelGroup> {
  const masterName = 'onceward'
  const master = await startRedis(t)
  const replica = await startRedis(t, { replicaof: `127.0.0.1 ${master.port}` })
  await until(async () => (await info(replica, 'replication')).includes('master_link_status:up'))
  const sentinels: string[] = []
  for (let n = 0; n < 3; n += 1) {
    const settings = {
      sentinel: [`monitor ${masterName} 127.0.0.1 ${master.port} 2`, `down-after-milliseconds ${masterName} 500`, `failover-timeout ${masterName} 2000`],
    }
    const sentinel = await launch(settings, ['--sentinel'])
    t.teardown(() => sentinel.stop())
    sentinels.push(`127.0.0.1:${sentinel.port}`)
  }
  for (const address of sentinels) {
    const port = Number(address.split(':')[1])
    await until(async () => {
      const said = await command(port, 'SENTINEL', 'MASTER', masterName)
      return said.includes('num-slaves 1 ') && said.includes('num-other-sentinels 2 ')
    })
  }
  return { sentinels, masterName, master, replica }
}

/** Three masters with all slots between them. */
export async function startCluster(t: Test, settings: RedisSettings = {}): Promise<readonly RedisServer[]> {
  const nodes: RedisServer[] = []
  for (let n = 0; n < 3; n += 1) nodes.push(await startRedis(t, { ...settings, 'cluster-enabled': 'yes', 'cluster-config-file': 'nodes.conf', 'cluster-node-timeout': 2000 }))
  const [first] = nodes
  for (const [n, node] of nodes.entries()) {
    await node.command('CLUSTER', 'SET-CONFIG-EPOCH', String(n + 1))
    await node.command('CLUSTER', 'ADDSLOTSRANGE', String(Math.ceil(n * 16384 / 3)), String(Math.ceil((n + 1) * 16384 / 3) - 1))
    if (first !== undefined && node !== first) await node.command('CLUSTER', 'MEET', '127.0.0.1', String(first.port))
  }
  for (const node of nodes) {
    await until(async () => {
      const slots = await node.command('CLUSTER', 'SLOTS')
      return (await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok') && nodes.every(({ port }) => slots.includes(String(port)))
    })
  }
  return nodes
}

/** The text of INFO; empty from a server that hangs up, as one does with all its clients when it changes its role. */
export function info(server: RedisServer, section: string): Promise<string> {
  return server.command('INFO', section).catch(() => '')
}

async function command(port: number, ...words: readonly string[]): Promise<string> {
  return [await call(port, words)].flat(3).join(' ')
}

async function call(port: number, [name = '', ...words]: readonly string[]): Promise<unknown> {
  const client = new Redis({ host: '127.0.0.1', port, retryStrategy: () => null, enableReadyCheck: false, maxRetriesPerRequest: 0, commandTimeout: 5000 })
  client.on('error', () => undefined)
  try {
    return await client.call(name, ...words)
  } finally {
    client.disconnect()
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline;) {
    if (await holds()) return
    await new Promise((resolve) => { setTimeout(resolve, 50) })
  }
  throw new Error('the servers did not find each other')
}

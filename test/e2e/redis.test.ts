import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import t, { test } from 'tap'
import { Pool } from 'undici'
import { parseArguments } from '../../src/cli/arguments.ts'
import { keys } from '../../src/cli/keys.ts'
import { EXIT } from '../../src/cli/output.ts'
import { serverBehind } from '../support/server-behind.ts'
import { countingUpstream } from '../support/counting-upstream.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { startRedis } from '../support/services/redis.ts'
import { SidecarProcess } from '../support/sidecar-process.ts'
import { startForTest } from '../support/start-sidecar.ts'
import { switchablePort } from '../support/switchable-port.ts'

needs(t, 'redis', 'postgres')

const CLIENTS = 16
/** Each key is sent so often: new, from Redis, from memory. */
const SENDINGS = 3

/*
 * The whole product under load while its Redis is emptied, stopped, killed and replaced. Clients do not notice: each key is
 * executed once, each answer is the one that its first sending got, and nothing is an error.
 */
test('I5 Redis is flushed, paused, killed and switched under load: one execution each, one answer each, no error', async (t) => {
  const executions = new Map<string, number>()
  const upstream = await serverBehind(t, (response, request, number) => {
    const key = request.fields[request.fields.findIndex((name) => name.toLowerCase() === 'idempotency-key') + 1] ?? ''
    executions.set(key, (executions.get(key) ?? 0) + 1)
    response.writeHead(201, { 'x-number': String(number) }).end(`executed as number ${number}`)
  })
  const [first, second] = [await startRedis(t), await startRedis(t)]
  const name = await switchablePort(t, first.port)
  const folder = mkdtempSync(join(tmpdir(), 'onceward-redis-e2e-'))
  writeFileSync(join(folder, 'onceward.yaml'), `store: { redis: "redis://127.0.0.1:${name.port}" }\ndefaults: { idempotency: { anonymous: share } }\n`)
  const sidecar = new SidecarProcess({ dataDir: join(folder, 'data'), upstream: upstream.origin, config: join(folder, 'onceward.yaml'), environment: { NODE_NO_WARNINGS: '1' } })
  t.teardown(async () => {
    await sidecar.kill()
    rmSync(folder, { recursive: true })
  })
  await sidecar.start()
  const pool = new Pool(sidecar.origin, { connections: CLIENTS })
  t.teardown(() => pool.destroy())

  const errors: string[] = []
  const latencies: number[] = []
  const ended = new AbortController()
  let keys = 0
  const client = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      keys += 1
      const key = `key-${keys}`
      let told = ''
      for (let sending = 0; sending < SENDINGS; sending += 1) {
        const startedAt = performance.now()
        const { statusCode, headers, body } = await pool.request({ method: 'POST', path: '/charges', headers: { 'idempotency-key': key }, body: 'amount=7' })
        const text = await body.text()
        latencies.push(performance.now() - startedAt)
        if (statusCode !== 201 || headers['x-number'] === undefined) errors.push(`${key} sending ${sending}: ${statusCode} ${text}`)
        if (sending === 0) told = text
        else if (text !== told || headers['idempotent-replayed'] !== 'true') errors.push(`${key} was told ${told}, then ${text}`)
      }
    }
  }
  const load = Promise.all(Array.from({ length: CLIENTS }, client))

  const during = async (what: string, ms: number): Promise<void> => {
    latencies.length = 0
    await new Promise((resolve) => { setTimeout(resolve, ms) })
    const sorted = latencies.toSorted((a, b) => a - b)
    const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1)
    t.comment(`${what}: ${sorted.length} requests, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(0.99999)} ms`)
  }
  await during('warming up', 1000)
  await during('Redis at work', 1000)
  await first.command('FLUSHALL')
  await during('after FLUSHALL', 500)
  first.pause()
  await during('paused', 2000)
  first.resume()
  await during('resumed', 1500)
  await first.kill()
  await during('killed', 1500)
  await first.restart()
  await during('back, empty', 1500)
  name.leadTo(second.port)
  await during('switched to an empty one', 1500)
  ended.abort()
  await load

  t.strictSame(errors, [])
  t.ok(keys > 100 && executions.size === keys, `${keys} keys`)
  t.strictSame([...executions].filter(([, times]) => times !== 1), [], 'each was executed once')
  const hits = await metric(sidecar, 'onceward_reply_cache_hits_total{tier="redis"}')
  t.ok(hits > 100, `${hits} replays came from Redis`)
  t.ok(Number(await second.command('DBSIZE')) > 10, 'the second one is in use')
  t.equal(await sidecar.stop(), 0)
})

test('a reply that another process has filled is replayed from Redis, and from memory where it is asked for more than twice', async (t) => {
  const upstream = await serverBehind(t)
  const server = await startRedis(t)
  const yaml = `store: { redis: "${server.url}" }\ndefaults: { idempotency: { anonymous: share } }`
  const dataDir = mkdtempSync(join(tmpdir(), 'onceward-redis-e2e-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  const one = await startForTest(t, upstream.origin, { yaml, dataDir })
  await usable(one)
  t.match(await one.post('k'), { status: 200, body: 'n1' })
  while (Number(await server.command('EXISTS', ...(await keysOf(server)))) === 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
  await one.stop()
  const two = await startForTest(t, upstream.origin, { yaml, dataDir })
  await usable(two)
  t.match(await two.post('k'), { status: 200, body: 'n1', headers: { 'idempotent-replayed': 'true' } })
  t.match(await two.post('k'), { body: 'n1' })
  t.equal(await two.metric('onceward_reply_cache_hits_total{tier="redis"}'), 2)
  t.match(await two.post('k'), { body: 'n1' })
  t.equal(await two.metric('onceward_reply_cache_hits_total{tier="memory"}'), 1)
  t.notMatch(two.log(), server.port.toString(), 'the URL is in no log')
})

test('two sidecars on one Postgres and one Redis: waiters of one are woken by words, replies of one are replayed by the other', async (t) => {
  const url = await postgresUrl()
  const server = await startRedis(t)
  const upstream = await countingUpstream(t, 300)
  const yaml = `store: { postgres: { url: "${url}" }, redis: "${server.url}" }\ndefaults: { idempotency: { in_flight: { wait: 10s } } }`
  const [one, other] = [await startForTest(t, upstream.origin, { yaml }), await startForTest(t, upstream.origin, { yaml })]
  await usable(one)
  await usable(other)
  const first = one.post('k1')
  await upstream.began()
  const waiting = Promise.all(Array.from({ length: 20 }, () => other.post('k1')))
  const answer = await first
  const settledAt = performance.now()
  for (const waiter of await waiting) t.match(waiter, { status: 200, body: answer.body, headers: { 'idempotent-replayed': 'true' } })
  t.comment(`20 waiters of the other process were answered ${(performance.now() - settledAt).toFixed(1)} ms after the first`)
  const second = await one.post('k2')
  while ((await keysOf(server)).length < 2) await new Promise((resolve) => { setTimeout(resolve, 5) })
  t.match(await other.post('k2'), { status: 200, body: second.body, headers: { 'idempotent-replayed': 'true' } })
  t.ok(await other.metric('onceward_reply_cache_hits_total{tier="redis"}') >= 1)
  t.equal(upstream.executions(), 2)
})

test('what the command line evicts is gone from Redis, and without Redis it is refused', async (t) => {
  const upstream = await serverBehind(t)
  const server = await startRedis(t)
  const folder = mkdtempSync(join(tmpdir(), 'onceward-redis-e2e-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const yaml = `store: { redis: "${server.url}" }\ndefaults: { idempotency: { anonymous: share } }\n`
  const config = join(folder, 'onceward.yaml')
  writeFileSync(config, yaml)
  const dataDir = join(folder, 'data')
  const before = await startForTest(t, upstream.origin, { yaml, dataDir })
  await usable(before)
  t.match(await before.post('k'), { body: 'n1' })
  while (Number(await server.command('EXISTS', ...(await keysOf(server)))) === 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
  await before.stop()
  const evict = async (): Promise<number> => {
    const command = parseArguments(['keys', 'evict', '--key', 'k', '--reason', 'ticket 7', '--config', config, '--data-dir', dataDir])
    if (command.kind !== 'keys') throw new Error(JSON.stringify(command))
    return keys(command.command, command.flags, {}, { line: () => undefined, complaint: () => undefined })
  }
  await server.kill()
  t.equal(await evict(), EXIT.unavailable)
  await server.restart()
  t.equal(await evict(), EXIT.ok)
  const [buried] = await keysOf(server)
  t.equal(await server.command('STRLEN', buried ?? ''), '3', 'a tombstone')
  const after = await startForTest(t, upstream.origin, { yaml, dataDir })
  t.match(await after.post('k'), { status: 409, problem: 'reply-not-kept' })
  t.equal(upstream.requests.length, 1)
})

test('neither the log nor an error shows the password of the Redis', async (t) => {
  const upstream = await serverBehind(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'store: { redis: "redis://user:s3cretword@127.0.0.1:1" }\ndefaults: { idempotency: { anonymous: share } }' })
  t.match(await sidecar.post('k'), { status: 200 })
  t.match(await sidecar.post('k'), { status: 200, headers: { 'idempotent-replayed': 'true' } })
  const refused: unknown = await startForTest(t, upstream.origin, { yaml: 'store: { redis: "redis:/user:s3cretword@127.0.0.1" }' }).catch((error: unknown) => error)
  t.ok(refused instanceof Error && refused.message.includes('store') && !refused.message.includes('s3cretword'))
  t.notMatch(sidecar.log(), 's3cretword')
})

async function keysOf(server: { command(...words: string[]): Promise<string> }): Promise<string[]> {
  const keys = (await server.command('KEYS', 'onceward:reply:*')).split(' ').filter((key) => key !== '')
  return keys.length === 0 ? ['none'] : keys
}

async function usable(sidecar: { metric(series: string): Promise<number> }): Promise<void> {
  while (await sidecar.metric('onceward_redis_circuit_open') + await sidecar.metric('onceward_redis_fill_circuit_open') > 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
}

async function metric(sidecar: SidecarProcess, series: string): Promise<number> {
  const text = await (await fetch(`${sidecar.adminOrigin}/metrics`)).text()
  return Number(text.split('\n').find((line) => line.startsWith(`${series} `))?.slice(series.length + 1) ?? 0)
}

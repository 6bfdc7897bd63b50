import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { embeddedCases, EMBEDDED_BARS } from './embedded-cases.ts'
import { latency } from './latency.ts'
import { postgresCases, POSTGRES_BARS } from './postgres-cases.ts'
import { redisCases, REDIS_BARS } from './redis-cases.ts'
import { startProduct } from './product.ts'
import { alternate, loadCase } from './rounds.ts'
import { forked, Scene } from './scene.ts'
import { startServer } from './servers.ts'
import { print, verdict, YARDSTICK, type Bar } from './table.ts'

/*
 * CPU per request of the proxy (all its threads), side by side in one run: direct, bare @fastify/http-proxy, and the
 * product as shipped (from dist, logs and metrics on), each in a process of its own as the bare proxy has. Rounds alternate
 * between the cases, and a case is held against another round by round (the median of these ratios counts), so that a machine's mood hits both. Exit code 1 if a bar is missed.
 *
 *     npm run bench                          everything, in some four minutes
 *     npm run bench -- --only embedded       without Postgres and Redis
 *     npm run bench -- --only postgres       without the embedded store
 */
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5)
const ROUND_MS = Number(process.env['BENCH_ROUND_MS'] ?? 2000)
/** A new key took 129 us of CPU in a process's first three seconds, 89 in the next three, and 77 to 85 from then on: V8 was still compiling. */
const WARM_UP = 3

const REPLAY = 'replay from memory'
const LEAST_FROM_REDIS = 0.95
/** Beside a load of 20 on two cores a new key took half as much CPU again, against the bare plugin, as beside 3. */
const MOST_LOAD = 3

const { values: { only } } = parseArgs({
  options: {
    only: { type: 'string' },
  },
})
if (only !== undefined && only !== 'embedded' && only !== 'postgres') throw new Error('--only takes embedded or postgres')

const scene = new Scene()
try {
  process.exitCode = await main() ? 0 : 1
} finally {
  await scene.end()
}

async function main(): Promise<boolean> {
  const [busy = 0] = loadavg()
  if (busy > MOST_LOAD) process.stdout.write(`this machine has ${busy.toFixed(1)} to do already: what stands below says more of that than of the product\n`)
  const upstream = await forked(scene, 'upstream.ts', [])
  const bare = await forked(scene, 'bare-proxy.ts', [`http://127.0.0.1:${upstream.port}`])
  const server = only === 'embedded' ? null : await startServer(scene)
  if (server !== null) process.stdout.write(server.description)
  const embedded = only === 'postgres' ? null : await embeddedCases(scene, upstream)
  const postgres = server === null ? null : await postgresCases(scene, upstream, server)
  const redis = server === null ? null : await redisCases(scene, upstream, server)
  const replaying = await startProduct(scene, { upstream, name: 'memory', store: server === null ? {} : { postgres: await server.postgres.createDatabase() } })
  const results = await alternate([
    loadCase('direct', upstream, 'none'), loadCase(YARDSTICK, bare, 'none'),
    ...embedded?.cases ?? [], ...postgres?.cases ?? [], loadCase(REPLAY, replaying, 'same'), ...redis?.cases ?? [],
  ], { warmUp: WARM_UP, rounds: ROUNDS, ms: ROUND_MS })
  const bars: Record<string, readonly Bar[]> = { ...EMBEDDED_BARS, ...POSTGRES_BARS, ...REDIS_BARS, [REPLAY]: [{ kind: 'cpu', of: YARDSTICK, atMost: 0.5 }] }
  const met = [print(results, bars)]
  if (embedded !== null) met.push(embedded.start())
  if (redis !== null) {
    const share = redis.redisShare()
    met.push(share >= LEAST_FROM_REDIS)
    verdict(`${(share * 100).toFixed(1)} % of the replays from Redis came from there`, `at least ${LEAST_FROM_REDIS * 100}`, share >= LEAST_FROM_REDIS)
  }
  if (postgres !== null) met.push(await postgres.peaks({ warmUp: 1, rounds: ROUNDS, ms: ROUND_MS }))
  if (postgres !== null && server !== null) met.push(await latency(scene, upstream, postgres.product, postgres.url, server))
  return met.every(Boolean)
}

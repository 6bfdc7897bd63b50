import { commitMs, valuesOfARecord } from './pgbench.ts'
import { ran, type Scene, type Target } from './scene.ts'
import type { Server } from './servers.ts'
import { verdict } from './table.ts'

/*
 * What a request waits for when nothing is busy: 200 a second, open loop, in rounds that alternate. A new key is two commits
 * one after the other, so it may add twice what a commit takes, and little else. A checkpoint comes first: without one since its
 * start a server has no old segment of its log to use again, makes a new one for every 16 MB, and meanwhile all commits wait (80 to 580 ms
 * each were seen here; with it none).
 */

const PER_SECOND = 200
const ROUND_MS = 2000
const ROUNDS = 3
const COMMITS_MS = 3000

/** Where a synced write takes longer, the disk is what is measured. */
const FSYNC_MS = 0.7
const MOST_BESIDE_COMMITS_MS = { p50: 1, p99: 5 }
const MOST_REPLAY_P99_MS = 2

type Keys = 'none' | 'new' | 'same'
interface Paced { readonly latencies: readonly number[], readonly failed: number }

/** False if a bar was missed. */
export async function latency(scene: Scene, upstream: Target, product: Target, url: string, { fsyncMs, postgres }: Pick<Server, 'fsyncMs' | 'postgres'>): Promise<boolean> {
  await postgres.query('checkpoint')
  const committing = await commitMs(url, await valuesOfARecord(url), PER_SECOND, COMMITS_MS, scene.folder)
  const direct: number[] = []
  const fresh: number[] = []
  const replayed: number[] = []
  let failed = 0
  const pace = async (target: Target, keys: Keys, prefix: string, into: number[]): Promise<void> => {
    const paced = await ran<Paced>('paced-load.ts', [target.port, PER_SECOND, ROUND_MS, keys, prefix])
    into.push(...paced.latencies)
    failed += paced.failed
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    await pace(upstream, 'none', '', direct)
    await pace(product, 'new', `paced-${round}`, fresh)
    await pace(product, 'same', 'replayed', replayed)
  }
  process.stdout.write(`\nat ${PER_SECOND} requests/s: one commit takes ${committing.toFixed(2)} ms\n`)
  for (const [name, times] of [['direct', direct], ['new key', fresh], ['replay', replayed]] as const) {
    process.stdout.write(`${name.padEnd(10)}p50 ${at(times, 0.5).toFixed(2)} ms, p99 ${at(times, 0.99).toFixed(2)} ms\n`)
  }
  let good = failed === 0
  const judge = (what: string, ms: number, most: number): void => {
    if (ms > most) good = false
    verdict(`${what} ${ms.toFixed(2)} ms`, `at most ${most.toFixed(2)}`, ms <= most)
  }
  if (failed > 0) process.stdout.write(`${failed} FAILED\n`)
  if (fsyncMs > FSYNC_MS) process.stdout.write(`no bar for new keys: a synced write takes ${fsyncMs.toFixed(2)} ms here, more than ${FSYNC_MS}\n`)
  else {
    for (const [name, share] of [['p50', 0.5], ['p99', 0.99]] as const) {
      judge(`a new key adds at ${name}`, at(fresh, share) - at(direct, share), 2 * committing + MOST_BESIDE_COMMITS_MS[name])
    }
  }
  judge('a replay answers at p99 within', at(replayed, 0.99), MOST_REPLAY_P99_MS)
  return good
}

function at(times: readonly number[], share: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? 0
}

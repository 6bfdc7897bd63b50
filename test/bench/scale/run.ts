import { statfsSync } from 'node:fs'
import { median } from '../rounds.ts'
import { Scene } from '../scene.ts'
import { startServer } from '../servers.ts'
import { verdict } from '../table.ts'
import { claimTimes, storeAt } from './claims.ts'
import { fill, type Part } from './table.ts'

/*
 * What a claim takes beside ten million stored keys, and beside ten thousand: two databases of one server, claims one at a
 * time in rounds that alternate. Takes some ten minutes and 30 GB below the system's temporary folder. Exit code 1 if the bar
 * is missed.
 */
const [FEW, MANY] = [10_000, Number(process.env['SCALE_KEYS'] ?? 10_000_000)]
const ROUNDS = 24
const CLAIMS_A_ROUND = 125
/** Rounds that do not count: prepared statements, and pages that come from the disk. */
const WARM_ROUNDS = 2
const MOST = 1.2
const BYTES_A_KEY = 3000

const scene = new Scene()
try {
  process.exitCode = await main() ? 0 : 1
} finally {
  await scene.end()
}

async function main(): Promise<boolean> {
  const { bavail, bsize } = statfsSync(scene.folder)
  if (bavail * bsize < MANY * BYTES_A_KEY) throw new Error(`${MANY} keys need ${(MANY * BYTES_A_KEY / 1e9).toFixed(0)} GB in ${scene.folder}`)
  const { postgres, description } = await startServer(scene, { wal_level: 'minimal', max_wal_senders: 0, shared_buffers: '1GB', maintenance_work_mem: '512MB', max_wal_size: '16GB' })
  process.stdout.write(description)
  const few = await filledStore(await postgres.createDatabase(), FEW)
  const many = await filledStore(await postgres.createDatabase(), MANY)
  const [beside, besides]: [number[], number[]] = [[], []]
  for (let round = 0; round < WARM_ROUNDS + ROUNDS; round += 1) {
    const [a, b] = [await claimTimes(few, CLAIMS_A_ROUND), await claimTimes(many, CLAIMS_A_ROUND)]
    if (round < WARM_ROUNDS) continue
    beside.push(median(a))
    besides.push(median(b))
  }
  await few.close()
  await many.close()
  const [small, large] = [median(beside), median(besides)]
  verdict(`a claim takes ${small.toFixed(2)} ms beside ${FEW} keys and ${large.toFixed(2)} ms beside ${MANY}: ${(large / small).toFixed(2)} x`, `at most ${MOST}`, large <= small * MOST)
  return large <= small * MOST
}

async function filledStore(url: string, keys: number): ReturnType<typeof storeAt> {
  const startedAt = performance.now()
  const model = await storeAt(url)
  await claimTimes(model, 1)
  await model.close()
  const parts = await fill(url, keys)
  process.stdout.write(`\n${keys} keys, filled in ${((performance.now() - startedAt) / 1000).toFixed(0)} s; MB per million keys:\n`)
  for (const part of parts) process.stdout.write(`  ${line(part, keys)}\n`)
  process.stdout.write(`  ${line({ name: 'together', bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0) }, keys)}\n`)
  return storeAt(url)
}

function line({ name, bytes }: Part, keys: number): string {
  return `${name.padEnd(20)}${(bytes / keys).toFixed(0).padStart(6)}`
}

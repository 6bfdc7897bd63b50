import { readFileSync } from 'node:fs'
import { Client } from 'pg'
import type { EventEnd, Wanted } from '../../src/core/outbox.ts'
import { systemClock } from '../../src/host/clock.ts'
import { systemRandom } from '../../src/host/random.ts'
import { openPostgresStores } from '../../src/store/postgres/key-store.ts'
import { NotedJournal } from '../support/quiet.ts'
import { median } from './rounds.ts'
import { Scene } from './scene.ts'
import { startServer } from './servers.ts'

/*
 * What the relay's statements take while ten million events wait: the gauges' source, heads of lanes, a settle of a thousand. Takes
 * some five minutes and 12 GB below the system's temporary folder.
 */
const EVENTS = Number(process.env['OUTBOX_EVENTS'] ?? 10_000_000)
const LANES = Math.min(100_000, EVENTS)
const ROUNDS = 15

const scene = new Scene()
try {
  await main()
} finally {
  await scene.end()
}

async function main(): Promise<void> {
  const { postgres, description } = await startServer(scene, { wal_level: 'minimal', max_wal_senders: 0, shared_buffers: '1GB', max_wal_size: '16GB' })
  process.stdout.write(description)
  const url = await postgres.createDatabase()
  const options = {
    url, clock: systemClock(), random: systemRandom(), journal: new NotedJournal(), schema: 'onceward', connections: 1, prepare: true,
    deadlineMs: 60_000, partitions: 1, migrate: 'at_start', durability: 'local',
  } as const
  const { keys, outbox } = await openPostgresStores(options)
  await figure('census, nothing waits', () => outbox.census(['many'])) // plans are made while the table is empty, the worst time for them
  const startedAt = performance.now()
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query(readFileSync(new URL('./outbox/fill.sql', import.meta.url), 'utf8'), [EVENTS, LANES])
  await client.end()
  process.stdout.write(`${EVENTS} events in ${LANES} lanes, filled in ${((performance.now() - startedAt) / 1000).toFixed(0)} s\n`)

  const leadership = await outbox.lead('many', 'bench', 600_000)
  if (leadership.kind !== 'leading') throw new Error('nobody else is here')
  const { lead } = leadership
  await figure(`census, ${EVENTS} wait`, () => outbox.census(['many']))
  await figure('arrivals, 10,000 counted', () => outbox.arrivals('many', 600_000, 10_000))
  const heads: Wanted = { sink: 'many', after: null, lanes: 1000, perLane: 1, bytes: 4_000_000, busy: [] }
  await figure('take, 1,000 lanes with one event each', () => outbox.take(heads))
  await figure('take, 10 lanes with 100 events each', () => outbox.take({ ...heads, lanes: 10, perLane: 100 }))
  await figure('take, 256 lanes behind 1,000 busy ones', async () => {
    const busy = Array.from({ length: 1000 }, (_, n) => `customer-${String(n).padStart(8, '0')}`)
    return outbox.take({ ...heads, lanes: 256, busy })
  })
  await settled('settle of 1,000 delivered', (row) => ({ kind: 'delivered', row }))
  await settled('settle of 1,000 to be delivered again', (row) => ({ kind: 'retry', row, cause: 'status 500', afterMs: 0, counted: true }))
  await figure('census afterwards', () => outbox.census(['many']))
  await keys.close()

  async function settled(name: string, endOf: (row: number) => EventEnd): Promise<void> {
    const times: number[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      const { events } = await outbox.take({ ...heads, lanes: 100, perLane: 10 })
      times.push(await timeOf(() => outbox.settle(lead, events.map(({ row }) => endOf(row)))))
    }
    tell(name, times)
  }
}

async function figure(name: string, call: () => Promise<unknown>): Promise<void> {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) times.push(await timeOf(call))
  tell(name, times)
}

async function timeOf(call: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await call()
  return performance.now() - startedAt
}

function tell(name: string, times: readonly number[]): void {
  process.stdout.write(`  ${name.padEnd(42)} median ${median(times).toFixed(2).padStart(7)} ms, longest ${Math.max(...times).toFixed(2).padStart(7)} ms\n`)
}

import { Client } from 'pg'
import { systemClock } from '../../src/host/clock.ts'
import { systemRandom } from '../../src/host/random.ts'
import { openPostgresStore, type PostgresStoreOptions } from '../../src/store/postgres/key-store.ts'
import type { OutboxEvent } from '../../src/core/event.ts'
import { NotedJournal } from '../support/quiet.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { HeldClock, type KeyStoreHarness } from './situation.ts'

let schemas = 0

/** Each store in a schema of its own in one database; the database's clock is held by the test. */
export function postgresHarness(changes: Partial<PostgresStoreOptions> = {}): KeyStoreHarness {
  let database: Promise<string> | undefined
  return {
    async open() {
      database ??= changes.url === undefined ? postgresUrl() : Promise.resolve(changes.url)
      const url = await database
      schemas += 1
      const schema = `contract_${process.pid}_${schemas}`
      const clock = new HeldClock()
      const woken: string[] = []
      const store = await openPostgresStore({
        clock: systemClock(), random: systemRandom(), journal: new NotedJournal(), schema, connections: 4, prepare: true, deadlineMs: 10_000, partitions: 1,
        migrate: 'at_start', durability: 'local', wakeups: { publish: (ids) => woken.push(...ids) }, now: () => clock.wallMs(), ...changes, url,
      })
      return {
        store, clock, woken,
        committedEvents: () => eventsIn(url, schema),
        close: async () => {
          await store.close()
          await asking(url, (client) => client.query(`drop schema ${schema} cascade`))
        },
      }
    },
  }
}

function eventsIn(url: string, schema: string): Promise<OutboxEvent[]> {
  return asking(url, async (client) => {
    const { rows } = await client.query<[string, string, string, string, Buffer]>({ text: `select id, sink, lane, type, payload from ${schema}.outbox_event order by row`, rowMode: 'array' })
    return rows.map(([id, sink, lane, type, payload]) => ({ id, sink, lane, type, payload, flaw: null }))
  })
}

async function asking<T>(url: string, ask: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return await ask(client)
  } finally {
    await client.end()
  }
}

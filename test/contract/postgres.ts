import { Client } from 'pg'
import { systemClock } from '../../src/host/clock.ts'
import { systemRandom } from '../../src/host/random.ts'
import { openPostgresStores, type PostgresStoreOptions } from '../../src/store/postgres/key-store.ts'
import type { OutboxEvent } from '../../src/core/event.ts'
import { NotedJournal } from '../support/quiet.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { committing, type OutboxHarness } from './outbox/situation.ts'
import type { OpenShadow } from './shadow.ts'
import { HeldClock, type KeyStoreHarness } from './situation.ts'

let schemas = 0

/** Each store in a schema of its own in one database; the database's clock is held by the test. */
export function postgresHarness(changes: Partial<PostgresStoreOptions> = {}): KeyStoreHarness {
  const open = opener(changes)
  return {
    async open() {
      const { stores, url, schema, ...rest } = await open()
      return { ...rest, store: stores.keys, outbox: stores.outbox, committedEvents: () => eventsIn(url, schema) }
    },
  }
}

/** The same for the events in it. */
export function postgresOutboxHarness(changes: Partial<PostgresStoreOptions> = {}): OutboxHarness {
  const open = opener(changes)
  return {
    async open() {
      const { stores: { keys, outbox }, clock, close } = await open()
      return { outbox, clock, commit: committing(keys), close }
    },
  }
}

/** The same for the notes of shadowed routes. */
export function postgresShadow(changes: Partial<PostgresStoreOptions> = {}): () => Promise<OpenShadow> {
  const open = opener(changes)
  return async () => {
    const { stores: { shadow }, clock, close } = await open()
    return { shadow, clock, close }
  }
}

function opener(changes: Partial<PostgresStoreOptions>) {
  let database: Promise<string> | undefined
  return async () => {
    database ??= changes.url === undefined ? postgresUrl() : Promise.resolve(changes.url)
    const url = await database
    schemas += 1
    const schema = `contract_${process.pid}_${schemas}`
    const clock = new HeldClock()
    const woken: string[] = []
    const stores = await openPostgresStores({
      clock: systemClock(), random: systemRandom(), journal: new NotedJournal(), schema, connections: 4, prepare: true, deadlineMs: 10_000, partitions: 1,
      migrate: 'at_start', durability: 'local', wakeups: { publish: (ids) => woken.push(...ids) }, now: () => clock.wallMs(), ...changes, url,
    })
    return {
      stores, clock, woken, url, schema,
      close: async () => {
        await stores.keys.close()
        await asking(url, (client) => client.query(`drop schema ${schema} cascade`))
      },
    }
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

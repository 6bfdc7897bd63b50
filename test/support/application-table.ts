import { Client } from 'pg'
import type { Test } from 'tap'
import type { SourceSettings } from '../../src/core/source-settings.ts'
import { postgresUrl } from './services/postgres.ts'

/** An application with an outbox table of its own, in a database of its own. */
export interface ApplicationTable {
  readonly url: string
  /** of the application, which owns the table */
  readonly query: (sql: string, values?: readonly unknown[]) => Promise<Record<string, unknown>[]>
  /** a connection of the application, for transactions of its own */
  readonly connect: () => Promise<Client>
  /** a role that may do what `onceward check` says and no more; its URL */
  readonly reader: (columns: string, table?: string) => Promise<string>
}

export const DEBEZIUM_TABLE = 'create table outbox (seq bigint generated always as identity primary key, id uuid not null default gen_random_uuid(), aggregatetype text not null, aggregateid text not null, type text not null, payload jsonb)'

export async function applicationTable(t: Pick<Test, 'teardown'>, ddl = DEBEZIUM_TABLE): Promise<ApplicationTable> {
  const url = await postgresUrl()
  const clients: Client[] = []
  const connect = async (): Promise<Client> => {
    const client = new Client({ connectionString: url })
    client.on('error', () => undefined)
    clients.push(client)
    await client.connect()
    return client
  }
  t.teardown(async () => { for (const client of clients) await client.end().catch(() => undefined) })
  const owner = await connect()
  await owner.query(ddl)
  return {
    url, connect,
    query: async (sql, values = []) => (await owner.query<Record<string, unknown>>(sql, [...values])).rows,
    async reader(columns, table = 'public.outbox') {
      const database = new URL(url).pathname.slice(1)
      const role = `reader_${database}`
      // PostgreSQL 14 lets everybody create tables in there, whatever a role was granted
      await owner.query(`revoke create on schema public from public; create role ${role} login password 'p'; grant connect on database "${database}" to ${role}; grant usage on schema public to ${role}; grant select (${columns}) on ${table} to ${role}`)
      const own = new URL(url)
      own.username = role
      own.password = 'p'
      return own.href
    },
  }
}

export function sourceSettings(url: string, changes: Partial<SourceSettings> = {}): SourceSettings {
  return {
    name: 'orders', url, table: ['outbox'], columns: { order: 'seq', id: 'id', lane: 'aggregateid', type: 'type', payload: 'payload', time: null, traceparent: null },
    type: null, sink: 'payments', begin: 'oldest', pollMs: 20, batch: 500, holdMs: 10_000, lateMs: 60_000, leaseMs: 10_000, ...changes,
  }
}

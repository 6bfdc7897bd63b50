import { Client } from 'pg'
import { MOST_PAYLOAD_BYTES } from '../core/outbox-events.ts'
import { positionAtBeginning, positionAtEnd, type Page, type Position } from '../core/source.ts'
import { SourceTrouble, type SourceTable } from '../core/source-ports.ts'
import type { SourceRow, SourceSettings } from '../core/source-settings.ts'
import { describeTable } from './describe-table.ts'
import { lookOf, statement, type Look } from './look.ts'
import { pageOf } from './page.ts'

/** What connecting, and one look, may take. */
const CONNECT_MS = 5000
const LOOK_MS = 30_000
/** Numbers below the newest row among which transactions may be under way when reading begins there. */
const RECENT = 10_000

const AS_TEXT = { getTypeParser: () => (text: string) => text }

type Row = (string | null)[]

interface Open {
  readonly client: Client
  readonly look: Look
}

/** Reads one table by one connection, and has no other way to it than SELECT. */
export class PostgresTable implements SourceTable {
  readonly #settings: SourceSettings
  readonly #warn: (detail: string) => void
  #open: Open | null = null
  #closed = false

  /** `warn` is told, once per connection, of what is allowed and will be slow. */
  constructor(settings: SourceSettings, warn: (detail: string) => void) {
    this.#settings = settings
    this.#warn = warn
  }

  async beginning(): Promise<Position> {
    return this.#during(async ({ client, look }) => {
      const [[smallest = null, largest = null] = []] = await rows(client, look.bounds, [])
      if (this.#settings.begin === 'oldest' || largest === null) return positionAtBeginning(smallest === null ? null : BigInt(smallest))
      const from = BigInt(largest) - BigInt(RECENT)
      return positionAtEnd(pageOf(await rows(client, look.read, [String(from), RECENT, '{}', '{}', 'false']), RECENT))
    })
  }

  async read({ cursor, gaps }: Position, marked: boolean): Promise<Page<SourceRow>> {
    return this.#during(async ({ client, look }) => pageOf(await rows(client, look.read, [
      String(cursor), this.#settings.batch, `{${gaps.map(({ from }) => from).join(',')}}`, `{${gaps.map(({ to }) => to).join(',')}}`, String(marked),
    ]), this.#settings.batch))
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#letGo()
  }

  async #during<T>(work: (open: Open) => Promise<T>): Promise<T> {
    try {
      this.#open ??= await this.#connect()
      return await work(this.#open)
    } catch (error) {
      await this.#letGo() // whatever it was, the next look begins with what the table is then
      throw error instanceof SourceTrouble ? error : new SourceTrouble(troubleOf(error), error)
    }
  }

  async #connect(): Promise<Open> {
    const client = new Client({
      connectionString: this.#settings.url, types: AS_TEXT, keepAlive: true, connectionTimeoutMillis: CONNECT_MS, query_timeout: LOOK_MS, application_name: 'onceward-source',
    })
    client.on('error', () => undefined) // the query that is out, or the next one, says so
    try {
      await client.connect()
      await client.query(statement('read-only'))
      const described = await describeTable((text, values) => rows(client, text, values), this.#settings)
      for (const warning of described.warnings) this.#warn(warning)
      if (this.#closed) throw new SourceTrouble('the source is closed')
      return { client, look: lookOf(this.#settings, described.types, MOST_PAYLOAD_BYTES) }
    } catch (error) {
      void client.end().catch(() => undefined)
      throw error
    }
  }

  async #letGo(): Promise<void> {
    const open = this.#open
    this.#open = null
    await open?.client.end().catch(() => undefined)
  }
}

async function rows(client: Client, text: string, values: (string | number)[]): Promise<Row[]> {
  const { rows: found } = await client.query<Row>({ text, values, rowMode: 'array' })
  return found
}

/** A server's own words name tables, columns and roles; those of a socket, its address. */
function troubleOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code}: ` : ''
  return `${code}${error.message}`
}

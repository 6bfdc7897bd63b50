import { Socket } from 'node:net'
import { Client } from 'pg'
import { MOST_PAYLOAD_BYTES } from '../core/outbox-events.ts'
import type { Clock } from '../core/ports.ts'
import { positionAtBeginning, positionAtEnd, type Page, type Position } from '../core/source.ts'
import { SourceTrouble, type SourceTable } from '../core/source-ports.ts'
import type { SourceRow, SourceSettings } from '../core/source-settings.ts'
import { describeTable } from './describe-table.ts'
import { lookOf, statement, type Look } from './look.ts'
import { pageOf } from './page.ts'

/** What connecting, and one statement, may take. */
const CONNECT_MS = 5000
const LOOK_MS = 30_000
/** The server ends a statement itself; where it does not answer at all, nobody waits for it much longer. */
const ANSWER_MS = LOOK_MS + 2000
/** The newest numbers among which transactions may be under way when reading begins behind them. */
const RECENT = 10_000

const AS_TEXT = { getTypeParser: () => (text: string) => text }

type Row = (string | null)[]

interface Open {
  readonly client: Client
  readonly look: Look
}

/** Reads one table by one connection, in transactions that write nothing. */
export class PostgresTable implements SourceTable {
  readonly #settings: SourceSettings
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #warn: (detail: string) => void
  #open: Open | null = null
  #socket: Socket | null = null
  #closed = false

  /** `warn` is told, once per connection, of what is allowed and will hurt. */
  constructor(settings: SourceSettings, clock: Pick<Clock, 'monotonicMs'>, warn: (detail: string) => void) {
    this.#settings = settings
    this.#clock = clock
    this.#warn = warn
  }

  async beginning(): Promise<Position> {
    return this.#during(async ({ client, look }) => {
      if (this.#settings.begin === 'newest') return positionAtEnd((await rows(client, look.recent, [RECENT])).map(([n]) => BigInt(n ?? 0)), this.#clock.monotonicMs())
      const [[smallest = null] = []] = await rows(client, look.smallest, [])
      return positionAtBeginning(smallest === null ? null : BigInt(smallest))
    })
  }

  async read({ cursor, gaps }: Position): Promise<Page<SourceRow>> {
    const { batch } = this.#settings
    return this.#during(async ({ client, look }) => pageOf(await rows(client, look.read, [String(cursor), batch, bigints(gaps, 'from'), bigints(gaps, 'to')]), batch))
  }

  /** Ends what is out: whoever asked is told. */
  close(): void {
    this.#closed = true
    this.#letGo()
  }

  async #during<T>(work: (open: Open) => Promise<T>): Promise<T> {
    if (this.#closed) throw new SourceTrouble('the source is closed')
    try {
      const open = this.#open ??= await this.#connect()
      return await readOnly(open.client, () => work(open))
    } catch (error) {
      this.#letGo() // whatever it was, the next look begins with what the table is then
      throw error instanceof SourceTrouble ? error : new SourceTrouble(troubleOf(error), error)
    }
  }

  async #connect(): Promise<Open> {
    // our own socket: it can be ended at once, while a goodbye would wait for a server that does not answer
    const socket = this.#socket = new Socket()
    const client = new Client({
      connectionString: this.#settings.url, stream: () => socket, types: AS_TEXT, keepAlive: true, connectionTimeoutMillis: CONNECT_MS, query_timeout: ANSWER_MS,
      application_name: 'onceward-source',
    })
    client.on('error', () => undefined) // the query that is out, or the next one, says so
    await client.connect()
    const described = await readOnly(client, () => describeTable((text, values) => rows(client, text, values), this.#settings))
    for (const warning of described.warnings) this.#warn(warning)
    return { client, look: lookOf(this.#settings, described.types, MOST_PAYLOAD_BYTES) }
  }

  #letGo(): void {
    this.#open = null
    this.#socket?.destroy()
    this.#socket = null
  }
}

async function readOnly<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query(statement('begin'))
  await client.query(statement('patience'), [String(LOOK_MS)])
  const result = await work()
  await client.query(statement('end'))
  return result
}

async function rows(client: Client, text: string, values: (string | number)[]): Promise<Row[]> {
  const { rows: found } = await client.query<Row>({ text, values, rowMode: 'array' })
  return found
}

function bigints<Name extends string>(from: readonly { readonly [N in Name]: bigint }[], name: Name): string {
  return `{${from.map((one) => one[name]).join(',')}}`
}

/**
 * A server's own words name tables, columns and roles, those of a socket its address; errors about data (a view may make some) repeat data, and are
 * told by their code alone.
 */
function troubleOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code.startsWith('22') || code.startsWith('23')) return `${code}: a row cannot be read`
  return code === '' ? error.message : `${code}: ${error.message}`
}

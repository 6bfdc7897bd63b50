import { Socket } from 'node:net'
import { Client } from 'pg'
import type { Clock } from '../../core/ports.ts'
import { faultOf, type Fault } from './faults.ts'
import { readStatement, type Statement } from './statements.ts'

/*
 * One connection, with several statements in flight on it. Each of them commits by itself, unless they are sent together, and ends in
 * one of these:
 *
 *     rows         it is done, and as durable as the server was told to make it
 *     failed       see faults.ts; 'unknown' for all that are in flight when the connection is lost, when one of them
 *                  is not answered by its deadline (which ends the connection), or when the server warns meanwhile
 *
 * The warning is 01000 "canceling wait for synchronous replication": the commit is on one disk only, and the result
 * says nothing of it. It carries no statement's name, so every statement in flight is meant.
 */

export type Value = string | number | Buffer | null
/** All columns as the server writes them: whoever reads a row knows what is a number. */
export type Row = readonly (string | null)[]
export type End = { readonly kind: 'rows', readonly rows: readonly Row[] } | { readonly kind: 'failed', readonly fault: Fault }

/** A statement of a transaction. */
export type Step = readonly [statement: Statement, values: Value[]]

export interface ConnectionOptions {
  readonly clock: Clock
  /** names for statements; false behind a pooler that gives one connection to many */
  readonly prepare: boolean
  readonly connectMs: number
}

interface Flight {
  readonly end: (end: End) => void
  doubt: string | undefined
}

const SESSION = readStatement('session', '')
const SETTINGS = readStatement('settings', '')

const AS_TEXT = { getTypeParser: () => (text: string) => text }

export class Connection {
  readonly #client: Client
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #flights = new Set<Flight>()
  #lost: string | undefined
  #tellLost: (detail: string) => void = () => undefined
  /** resolves with the reason once the connection can carry nothing any more */
  readonly lost: Promise<string>

  private constructor(client: Client, socket: Socket, options: ConnectionOptions) {
    this.#client = client
    this.#socket = socket
    this.#options = options
    this.lost = new Promise((resolve) => { this.#tellLost = resolve })
    client.on('error', (error) => this.#lose(faultOf(error).detail))
    client.on('end', () => this.#lose('the connection was closed'))
    client.on('notice', ({ code }) => {
      if (code === '01000') for (const flight of this.#flights) flight.doubt = 'the server did not wait for its standby (01000)'
    })
  }

  /** Rejects when there is no server, or one that takes no writes. */
  static async open(url: string, options: ConnectionOptions): Promise<Connection> {
    const socket = new Socket()
    const client = new Client({
      connectionString: url, stream: () => socket, pipeline: true, types: AS_TEXT, keepAlive: true,
      connectionTimeoutMillis: options.connectMs, application_name: 'onceward',
    })
    const connection = new Connection(client, socket, options)
    try {
      await client.connect()
      await connection.#begin()
      return connection
    } catch (error) {
      connection.destroy('could not connect')
      throw error
    }
  }

  get client(): Client {
    return this.#client
  }

  get usable(): boolean {
    return this.#lost === undefined
  }

  get load(): number {
    return this.#flights.size
  }

  /** Never rejects. */
  run(statement: Statement, values: Value[], withinMs: number): Promise<End> {
    if (this.#lost !== undefined) return Promise.resolve({ kind: 'failed', fault: { kind: 'not-done', detail: this.#lost } })
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(withinMs, () => this.destroy(`${statement.name} was not answered within its deadline`))
      const flight: Flight = {
        doubt: undefined,
        end: (end) => {
          cancel()
          this.#flights.delete(flight)
          resolve(end)
        },
      }
      this.#flights.add(flight)
      const config = { text: statement.text, values, rowMode: 'array' as const }
      this.#client.query<Row & string[]>(this.#options.prepare ? { ...config, name: statement.name } : config, (error: Error | null, result) => {
        if (!this.#flights.has(flight)) return
        if (flight.doubt !== undefined) flight.end({ kind: 'failed', fault: { kind: 'unknown', detail: flight.doubt } })
        else if (error === null || error === undefined) flight.end({ kind: 'rows', rows: result.rows })
        else flight.end({ kind: 'failed', fault: faultOf(error) })
      })
    })
  }

  /**
   * The statements of one transaction, `begin` and `commit` among them. They leave in one piece, so that nobody else's come in between;
   * none of them needs the rows of another. Of those that fail the first one says why: to the others the transaction is over.
   */
  async runTogether(steps: readonly Step[], withinMs: number): Promise<{ readonly kind: 'rows', readonly rows: readonly (readonly Row[])[] } | Extract<End, { kind: 'failed' }>> {
    const ends = await Promise.all(steps.map(([statement, values]) => this.run(statement, values, withinMs)))
    return ends.find((end) => end.kind === 'failed') ?? { kind: 'rows', rows: ends.map((end) => (end.kind === 'rows' ? end.rows : [])) }
  }

  /** What is in flight is unknown from here on, even if the server goes on with it. */
  destroy(detail: string): void {
    this.#lose(detail)
    this.#socket.destroy()
  }

  /** Says goodbye; for a connection with nothing in flight. */
  async close(): Promise<void> {
    this.#lose('the store is closed')
    await this.#client.end().catch(() => undefined)
  }

  #lose(detail: string): void {
    if (this.#lost !== undefined) return
    this.#lost = detail
    for (const flight of this.#flights) flight.end({ kind: 'failed', fault: { kind: 'unknown', detail } })
    this.#tellLost(detail)
  }

  async #begin(): Promise<void> {
    const session = await this.run(SESSION, [], this.#options.connectMs)
    if (session.kind === 'failed') throw new Error(session.fault.detail)
    if (session.rows[0]?.[0] !== 'off') throw new Error('this server is read-only: a standby, or a primary that was')
    // Advice only, for one session: a pooler may hand it to another one, and unnamed statements are planned each time anyway.
    if (this.#options.prepare) await this.run(SETTINGS, [], this.#options.connectMs)
  }
}

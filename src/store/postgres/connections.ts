import { StoreUnavailable, type Clock, type Journal, type Random } from '../../core/ports.ts'
import { Connection, type End, type Row, type Step, type Value } from './connection.ts'
import { Refused } from './faults.ts'
import { serverUrls } from './server-urls.ts'
import type { Statement } from './statements.ts'

/*
 * A few connections that are always wanted. A slot has one of them, or makes one attempt at a time to get one:
 *
 *     connecting --(a server that takes writes)--> up --(lost)--> connecting
 *         '--(none of the servers)--> pause with full jitter --> connecting
 *
 * While no slot is up, calls wait for the first attempt after the loss; once an attempt has failed they are told at once,
 * so that an outage holds up nobody.
 */

export interface ConnectionsOptions {
  readonly url: string
  readonly connections: number
  readonly prepare: boolean
  readonly deadlineMs: number
  readonly clock: Clock
  readonly random: Random
  readonly journal: Pick<Journal, 'warn' | 'info'>
}

/** Longest pause between two attempts of a slot: the service is to be back within two seconds of its server. */
const LONGEST_PAUSE_MS = 1000
const FIRST_PAUSE_MS = 25
/** Longest time for one server to take a connection, TLS included; a paused server takes it and says nothing. */
const CONNECT_MS = 3000
const FIRST_CONFLICT_MS = 10
const LONGEST_CONFLICT_MS = 500

export class Connections {
  readonly #options: ConnectionsOptions
  readonly #urls: readonly string[]
  readonly #up = new Set<Connection>()
  #waiting: (() => void)[] = []
  /** why the last attempt of a slot failed; undefined once one succeeded, and while nobody knows */
  #trouble: string | undefined
  #favourite = 0
  #closed = false
  readonly #slots: Promise<void>[] = []

  private constructor(options: ConnectionsOptions) {
    this.#options = options
    this.#urls = serverUrls(options.url)
  }

  /** Resolves with the first connection; rejects with a plain Error when none of the servers will do. */
  static async open(options: ConnectionsOptions): Promise<Connections> {
    const connections = new Connections(options)
    const first = await connections.#connect()
    for (let slot = 0; slot < options.connections; slot += 1) connections.#slots.push(connections.#keep(slot === 0 ? first : undefined))
    return connections
  }

  /** A moment by which a call that begins now has to be answered. */
  deadline(): number {
    return this.#options.clock.monotonicMs() + this.#options.deadlineMs
  }

  isPast(until: number): boolean {
    return this.#options.clock.monotonicMs() >= until
  }

  /** Rejects with StoreUnavailable, or Refused. What only stood in another transaction's way is tried again. */
  run(statement: Statement, values: Value[], until: number): Promise<readonly Row[]> {
    return this.#insist(statement.name, (connection, withinMs) => connection.run(statement, values, withinMs), until)
  }

  /** Likewise, for the statements of one transaction, `begin` and `commit` among them. The rows of each between the two. */
  async runTogether(steps: readonly Step[], until: number): Promise<readonly (readonly Row[])[]> {
    const name = steps.slice(1, -1).map(([statement]) => statement.name).join(' and ')
    let ends: readonly (readonly Row[])[] = []
    await this.#insist(name, async (connection, withinMs) => {
      const together = await connection.runTogether(steps, withinMs)
      if (together.kind === 'failed') return together
      ends = together.rows
      return { kind: 'rows', rows: [] }
    }, until)
    return ends.slice(1, -1)
  }

  async #insist(name: string, send: (connection: Connection, withinMs: number) => Promise<End>, until: number): Promise<readonly Row[]> {
    for (let failures = 0; ; failures += 1) {
      // nothing may come in between an idle connection and the statement that it is for
      let connection = this.#idlest()
      while (connection === undefined) {
        await this.#change(until)
        connection = this.#idlest()
      }
      const end = await send(connection, Math.max(0, until - this.#options.clock.monotonicMs()))
      if (!this.#options.prepare) this.#wake()
      if (end.kind === 'rows') return end.rows
      const { kind, detail } = end.fault
      switch (kind) {
        case 'refused': throw new Refused(detail)
        case 'unknown': case 'not-done': throw new StoreUnavailable(kind === 'unknown' ? 'unknown' : 'no', `${name}: ${detail}`)
        case 'stale': connection.destroy(detail); throw new StoreUnavailable('no', `${name}: ${detail}`)
        case 'unprepared':
          connection.destroy(detail)
          if (failures > 0) throw new StoreUnavailable('no', `${name}: ${detail} (behind a pooler write store: { prepare: false })`)
          break
        case 'conflict': if (!await this.#pause(failures, until)) throw new StoreUnavailable('no', `${name}: ${detail}`); break
        default: return kind satisfies never
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#wake()
    await Promise.all([...this.#up].map((connection) => connection.close()))
    await Promise.all(this.#slots)
  }

  /**
   * Behind a pooler a connection carries one statement at a time: PgBouncer 1.18 was seen to hand over its server in the middle
   * of a second one, whose other half then reached somebody else's.
   */
  #idlest(): Connection | undefined {
    let idlest: Connection | undefined
    for (const connection of this.#up) {
      if (!connection.usable || (!this.#options.prepare && connection.load > 0)) continue
      if (idlest === undefined || connection.load < idlest.load) idlest = connection
    }
    return idlest
  }

  /** Resolves when a slot has news. Rejects where none is to be expected. */
  #change(until: number): Promise<void> {
    const { clock } = this.#options
    if (this.#closed) throw new StoreUnavailable('no', 'the store is closed')
    if (this.#trouble !== undefined && this.#up.size === 0) throw new StoreUnavailable('no', this.#trouble)
    if (this.isPast(until)) throw new StoreUnavailable('no', 'there was no connection to the database in time')
    return new Promise((resolve) => {
      const cancel = clock.after(Math.max(0, until - clock.monotonicMs()), resolve)
      this.#waiting.push(() => {
        cancel()
        resolve()
      })
    })
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** False if the time does not suffice. */
  async #pause(failures: number, until: number): Promise<boolean> {
    const { clock, random } = this.#options
    const pauseMs = random.uniform() * Math.min(LONGEST_CONFLICT_MS, FIRST_CONFLICT_MS * 2 ** failures)
    if (clock.monotonicMs() + pauseMs >= until) return false
    await this.#sleep(pauseMs)
    return true
  }

  /** Keeps one slot filled until the end. */
  async #keep(first: Connection | undefined): Promise<void> {
    let connection = first
    let failures = 0
    while (!this.#closed) {
      if (connection !== undefined) {
        failures = 0
        await this.#serve(connection)
        connection = undefined
        if (this.#closed) return
      }
      await this.#sleep(this.#options.random.uniform() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures))
      if (this.#closed) return
      failures += 1
      try {
        connection = await this.#connect()
      } catch (error) {
        this.#fail(error instanceof Error ? error.message : String(error))
      }
    }
    await connection?.close()
  }

  async #serve(connection: Connection): Promise<void> {
    if (this.#trouble !== undefined) this.#options.journal.info('store.reconnected', {})
    this.#trouble = undefined
    this.#up.add(connection)
    this.#wake()
    const reason = await connection.lost
    this.#up.delete(connection)
    if (!this.#closed) this.#options.journal.warn('store.connection-lost', { error: reason })
  }

  #fail(detail: string): void {
    if (this.#trouble === undefined) this.#options.journal.warn('store.no-connection', { error: detail })
    this.#trouble = `no connection to the database: ${detail}`
    this.#wake()
  }

  /** All servers in turn, beginning with the one that served last. */
  async #connect(): Promise<Connection> {
    const { clock, prepare } = this.#options
    let trouble: unknown
    for (let turn = 0; turn < this.#urls.length; turn += 1) {
      const place = (this.#favourite + turn) % this.#urls.length
      try {
        const connection = await Connection.open(this.#urls[place] ?? '', { clock, prepare, connectMs: CONNECT_MS })
        this.#favourite = place
        return connection
      } catch (error) {
        trouble = error
      }
    }
    throw trouble
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => { this.#options.clock.after(ms, resolve) })
  }
}

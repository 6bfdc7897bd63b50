import type { Clock, Journal, Random, Wakeups } from '../../core/ports.ts'
import type { KeyId } from '../../core/record.ts'
import { LocalWakeups } from '../local-wakeups.ts'
import { Connection } from './connection.ts'
import { serverUrls } from './server-urls.ts'
import { readStatement, type Statement } from './statements.ts'

export interface PostgresWakeupsOptions {
  /** straight to the server: LISTEN has no meaning behind a pooler in transaction mode */
  readonly url: string
  readonly schema: string
  readonly clock: Clock
  readonly random: Random
  readonly journal: Pick<Journal, 'warn'>
}

/** A notification may have 8000 bytes; an id has 43 and a comma. */
const IDS_PER_NOTICE = 170
const LONGEST_PAUSE_MS = 5000
const FIRST_PAUSE_MS = 50
const CONNECT_MS = 3000
const NOTIFY_MS = 5000

/**
 * LISTEN and NOTIFY on one connection of the process, made when somebody first waits or has something to say. While it is
 * away words are lost, and the waiters' polls find out. What is said in between two turns leaves as one statement, which
 * commits nothing else: a NOTIFY within a settle would take a lock of the whole server at its commit.
 */
export class PostgresWakeups implements Wakeups {
  readonly #options: PostgresWakeupsOptions
  readonly #here = new LocalWakeups()
  readonly #notify: Statement
  readonly #listen: Statement
  #connection: Connection | undefined
  #kept: Promise<void> | undefined
  #endPause: () => void = () => undefined
  #closed = false
  #said: KeyId[] = []

  constructor(options: PostgresWakeupsOptions) {
    this.#options = options
    this.#notify = readStatement('notify', options.schema)
    this.#listen = readStatement('listen', options.schema)
  }

  wait(id: KeyId, wake: () => void): () => void {
    this.#kept ??= this.#keep()
    return this.#here.wait(id, wake)
  }

  publish(ids: readonly KeyId[]): void {
    // those of this process need no server in between; its notification comes later, and once too often
    this.#here.publish(ids)
    this.#kept ??= this.#keep()
    if (this.#said.length === 0) queueMicrotask(() => this.#say())
    this.#said.push(...ids)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#endPause()
    await this.#connection?.close()
    await this.#kept
    await this.#here.close()
  }

  #say(): void {
    const connection = this.#connection
    const ids = this.#said
    this.#said = []
    if (connection === undefined) return
    for (let from = 0; from < ids.length; from += IDS_PER_NOTICE) {
      void connection.run(this.#notify, [this.#channel, ids.slice(from, from + IDS_PER_NOTICE).join(',')], NOTIFY_MS)
    }
  }

  get #channel(): string {
    return `${this.#options.schema}_settled`
  }

  async #keep(): Promise<void> {
    const { random, journal } = this.#options
    let failures = 0
    while (!this.#closed) {
      try {
        const connection = await this.#open()
        failures = 0
        if (this.#closed) await connection.close()
        await connection.lost
      } catch (error) {
        if (failures === 0) journal.warn('store.no-wakeups', { error: error instanceof Error ? error.message : String(error) })
        failures += 1
      }
      this.#connection = undefined
      if (!this.#closed) await this.#pause(random.uniform() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures))
    }
  }

  async #open(): Promise<Connection> {
    const { url, clock } = this.#options
    let trouble: unknown
    for (const server of serverUrls(url)) {
      try {
        const connection = await Connection.open(server, { clock, prepare: false, connectMs: CONNECT_MS })
        connection.client.on('notification', ({ payload }) => this.#here.publish(payload?.split(',') ?? []))
        const listening = await connection.run(this.#listen, [], CONNECT_MS)
        if (listening.kind === 'failed') {
          await connection.close()
          throw new Error(listening.fault.detail)
        }
        this.#connection = connection
        return connection
      } catch (error) {
        trouble = error
      }
    }
    throw trouble
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve)
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
  }
}

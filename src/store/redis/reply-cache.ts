import type { KeyObject } from 'node:crypto'
import type { Clock, Journal, Meter, Random, Remembered, RemoteReplies } from '../../core/ports.ts'
import type { KeyId } from '../../core/record.ts'
import { GroupCommit, type Sent } from '../group-commit.ts'
import { Circuit } from './circuit.ts'
import { fetchValues, fillAbsent, overwrite } from './commands.ts'
import type { Client } from './connection.ts'
import { Deadlines, NotInTime } from './deadline.ts'
import { decode, encode, TOMBSTONE, type Kept } from './value.ts'
import type { Words } from './words.ts'

/*
 * Completed replies in Redis. Look-ups that meet while others are out become one MGET, fills one pipeline. Two circuits
 * stand before them, because a Redis that is full, or a replica, answers reads as ever and refuses every write.
 *
 * A reply that an operator drops must not come back, so a fill writes only where nothing stands, and a bury leaves a
 * tombstone for longer than any fill may be late: 5 s in our queue, and what a network may hold it back.
 */

export interface ReplyCacheOptions {
  readonly client: Client
  readonly words: Words
  readonly clock: Clock
  readonly random: Random
  readonly meter: Pick<Meter, 'cacheMiss' | 'cacheFill'>
  readonly journal: Pick<Journal, 'warn' | 'info'>
  /** what values are authenticated with; see value.ts */
  readonly key: KeyObject
  /** longest wait for an answer to a look-up, in ms */
  readonly timeoutMs: number
  /** longest life of a value, in ms */
  readonly keepMs: number
}

/**
 * Batches of look-ups that are out at once, and of fills; the others gather meanwhile. Two made the look-ups' batches a third smaller and a new
 * key a tenth dearer (in 22 of 28 rounds side by side), and no answer came sooner.
 */
const PIPES = 1
const MOST_KEYS = 256
/** A reply is 1 MiB at most unless configured otherwise. */
const FILL_BYTES = 1024 * 1024
/** Beyond this, replies are not remembered: keys arrive faster than Redis takes them. */
const MOST_QUEUED_BYTES = 16 * 1024 * 1024
const MOST_QUEUED = 4096
const QUEUED_AT_MOST_MS = 5000
/** Nobody waits for a fill, so it may take as long as says that the server hangs and not that it is busy. */
const FILL_WITHIN_MS = 1000
/** The same for a bury, for which an operator waits. */
const BURY_WITHIN_MS = 2000
/** TCP gives up a segment after 15 minutes; a fill that was sent before is not later than that. */
const TOMBSTONE_LIFE_MS = 3_600_000
/** What a fill weighs besides its body. */
const OVERHEAD_BYTES = 512

interface Fill {
  readonly id: KeyId
  readonly what: Kept
  readonly ttlMs: number
}

export class RedisReplies implements RemoteReplies {
  readonly #options: ReplyCacheOptions
  readonly #deadlines: Deadlines
  readonly #reads: Circuit
  readonly #writes: Circuit
  readonly #gets: GroupCommit<KeyId, Remembered | undefined>
  readonly #fills: GroupCommit<Fill, void>
  #queued = 0
  #queuedBytes = 0
  #closed: Promise<void> | null = null

  constructor(options: ReplyCacheOptions) {
    this.#options = options
    const { client, clock, random, timeoutMs } = options
    this.#deadlines = new Deadlines(clock)
    this.#gets = new GroupCommit({ send: (ids) => this.#look(ids), connections: PIPES, maxOperations: MOST_KEYS, maxBytes: MOST_KEYS })
    this.#fills = new GroupCommit({ send: (fills) => this.#store(fills), connections: PIPES, maxOperations: MOST_KEYS, maxBytes: FILL_BYTES })
    const changed = (circuit: string) => (closed: boolean): void => {
      if (closed) options.journal.info('redis.in-use', { circuit })
      else options.journal.warn('redis.left-alone', { circuit })
    }
    const probe = (work: () => Promise<unknown>) => () => this.#deadlines.within(timeoutMs, work()).then(() => true, () => false)
    this.#reads = new Circuit({ clock, random, changed: changed('look-ups'), probe: probe(() => fetchValues(client, [probeKey(random)])) })
    this.#writes = new Circuit({ clock, random, changed: changed('fills'), probe: probe(() => overwrite(client, { key: probeKey(random), value: TOMBSTONE, ttlMs: 1000 })) })
    client.on('ready', () => {
      this.#reads.hurry()
      this.#writes.hurry()
    })
    client.on('close', () => this.#lost())
    if (client.status !== 'ready') return
    this.#reads.hurry()
    this.#writes.hurry()
  }

  get answers(): boolean {
    return this.#reads.closed
  }

  get takes(): boolean {
    return this.#writes.closed
  }

  get(id: KeyId): Promise<Remembered | undefined> {
    return this.#gets.submit(id, 1).catch(() => undefined) // closed
  }

  put(id: KeyId, what: Remembered): void {
    const { reply } = what
    if (reply.kind === 'not-kept') return // rare, and the authority says it as quickly as a reply
    const ttlMs = Math.min(this.#options.keepMs, what.retainUntil - this.#options.clock.wallMs())
    const bytes = reply.reply.body.length + OVERHEAD_BYTES
    if (ttlMs <= 0 || !this.#writes.closed || this.#queued >= MOST_QUEUED || this.#queuedBytes + bytes > MOST_QUEUED_BYTES) {
      this.#options.meter.cacheFill('dropped')
      return
    }
    this.#queued += 1
    this.#queuedBytes += bytes
    const tooLateAtMs = this.#options.clock.monotonicMs() + QUEUED_AT_MOST_MS
    const tooLate = (): boolean => !this.#writes.closed || this.#options.clock.monotonicMs() > tooLateAtMs
    void this.#fills.submit({ id, what: { ...what, reply }, ttlMs: Math.ceil(ttlMs) }, bytes, tooLate).catch(() => this.#options.meter.cacheFill('dropped')).finally(() => {
      this.#queued -= 1
      this.#queuedBytes -= bytes
    })
  }

  async bury(id: KeyId): Promise<'buried' | 'unknown'> {
    const { client, words } = this.#options
    try {
      const tombstone = { key: keyOf(id), value: TOMBSTONE, ttlMs: TOMBSTONE_LIFE_MS }
      await this.#deadlines.within(BURY_WITHIN_MS, ready(client).then(() => overwrite(client, tombstone)))
    } catch {
      return 'unknown'
    }
    words.say('buried', [id])
    return 'buried'
  }

  onBuried(forget: (id: KeyId) => void): void {
    this.#options.words.hear('buried', forget)
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close()
  }

  async #close(): Promise<void> {
    const drained = Promise.all([this.#gets.close(), this.#fills.close()])
    await this.#deadlines.within(FILL_WITHIN_MS, drained).catch(() => undefined)
    this.#reads.stop()
    this.#writes.stop()
    this.#deadlines.giveUp()
  }

  async #look(ids: readonly KeyId[]): Promise<Sent<Remembered | undefined>[]> {
    const { client, meter, key, timeoutMs } = this.#options
    const values = this.#reads.closed ? await this.#asked(timeoutMs, fetchValues(client, ids.map(keyOf))) : undefined
    return ids.map((id, i) => {
      const value = values?.[i]
      if (value === undefined || value === null) {
        meter.cacheMiss(value === null ? 'absent' : 'unavailable')
        return { kind: 'done', outcome: undefined }
      }
      const reading = decode(id, value, key)
      if (reading.kind === 'reply') return { kind: 'done', outcome: reading.what }
      meter.cacheMiss(reading.kind)
      return { kind: 'done', outcome: undefined }
    })
  }

  async #store(fills: readonly Fill[]): Promise<Sent<void>[]> {
    const { client, meter, key } = this.#options
    const entries = fills.map(({ id, what, ttlMs }) => ({ key: keyOf(id), value: encode(id, what, key), ttlMs }))
    const ends = await this.#asked(FILL_WITHIN_MS, fillAbsent(client, entries))
    for (const i of fills.keys()) {
      const end = ends?.[i]
      meter.cacheFill(end === true ? 'stored' : end === false ? 'present' : 'failed')
    }
    if (ends === undefined || ends.some((end) => end instanceof Error)) this.#writes.trip() // full, a replica, not allowed
    return fills.map(() => ({ kind: 'done', outcome: undefined }))
  }

  /** Undefined if it went wrong; then the circuits know, too. */
  async #asked<Answer>(ms: number, work: Promise<Answer>): Promise<Answer | undefined> {
    try {
      return await this.#deadlines.within(ms, work)
    } catch (error) {
      if (error instanceof NotInTime) this.#hangs()
      else this.#reads.trip()
      return undefined
    }
  }

  /** Whoever else waits is released; a new connection leads elsewhere after a failover, and drops what the old one holds. */
  #hangs(): void {
    if (!this.#reads.closed && !this.#writes.closed) return
    this.#lost()
    this.#options.client.disconnect(true)
  }

  #lost(): void {
    this.#reads.trip()
    this.#writes.trip()
    this.#deadlines.giveUp()
  }
}

/** A command line has hardly been connected when it buries. */
function ready(client: Client): Promise<void> {
  return client.status === 'ready' ? Promise.resolve() : new Promise((resolve) => { client.once('ready', () => resolve()) })
}

/** Another one each time, so that in a cluster every node has its turn. */
function probeKey(random: Random): string {
  return `onceward:probe:${random.token(6)}`
}

/** Ids are made with the installation's secret, so that those of two installations never meet. */
function keyOf(id: KeyId): string {
  return `onceward:reply:${id}`
}

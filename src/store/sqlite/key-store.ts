import { Worker } from 'node:worker_threads'
import type { Stores } from '../../core/outbox-ports.ts'
import type { Clock, KeyStore, StoreMeter, Wakeups } from '../../core/ports.ts'
import type { AcceptedWork, AcceptOutcome, Act, AuditEntry, BeginRequest, Begun, Census, Claim, ClaimOutcome, ClaimRequest, Completion, Doubt, DoubtCause, Eviction, Forgetting, KeyId, KeyRecord, Reaped, Resolution, Rest, Swept, WriteOutcome } from '../../core/record.ts'
import type { OutboxEvent } from '../../core/event.ts'
import type { StoredReply } from '../../core/reply.ts'
import { Flagged, NOBODY_WAITS } from '../flagged.ts'
import { GroupCommit } from '../group-commit.ts'
import { LentDoubts } from '../lent-doubts.ts'
import { USUAL_SIZES } from './folding.ts'
import { acceptOutcome, begunFrom, claimOutcome, withinMs, wiredRequest, writeOutcome } from './outcomes.ts'
import { BODY, openReply, recordOf, sealFields } from './rows.ts'
import { Connection, surprised, type Answered, type WrittenCall } from './connection.ts'
import { EmbeddedOutboxStore } from './outbox-store.ts'
import { EmbeddedShadowStore } from './shadow-store.ts'
import { copyOf, NOWHERE, wiredEvent, wiredEvents, type Bodies, type FoldingSizes, type WiredReply } from './wire.ts'

export interface EmbeddedStoreOptions {
  /** the folder of the database, its log and its witness; created if it is not there */
  readonly dataDir: string
  readonly clock: Clock
  /** told of the settles that somebody waits for */
  readonly wakeups?: Pick<Wakeups, 'publish'>
  /** larger files are not read through at the start (the checks of every row and look-up remain) */
  readonly quickCheckUpToBytes?: number
  readonly folding?: FoldingSizes
  readonly meter?: StoreMeter
}

/** Reading a file through took 0.9 ms of CPU per MB of cached file (65,000 keys in 58 MB): at this size a start is late by less than 0.1 s. */
const QUICK_CHECK_BYTES = 64 * 1024 * 1024

/** One transaction of this many new keys takes some 3 ms: what a caller behind a full batch waits at most, apart from the fsync. */
const MAX_OPERATIONS = 256
/** Bodies are copied into their batch; four replies of the largest kept size fill one. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024
/** Commit, fsync and two messages are shared by all calls of a batch, so more of them are worth a moment (group-commit.ts). With 4 clients batches are smaller, and nobody waits. */
const GATHER_FROM = 8

/**
 * The embedded store: SQLite in a worker thread, for exactly one process on a persistent disk. Rejects with
 * StoreUnavailable, whose message says what to do, when the file is in use, damaged, newer than this program, or
 * behind what was acknowledged.
 *
 * When the worker dies (a bug, or no memory), what was out is 'unknown' and all later calls are 'no': whoever runs the
 * process starts it anew, with all checks.
 */
export async function openEmbeddedStores({ dataDir, clock, wakeups = NOBODY_WAITS, quickCheckUpToBytes = QUICK_CHECK_BYTES, folding = USUAL_SIZES, meter }: EmbeddedStoreOptions): Promise<Stores> {
  const worker = new Worker(new URL(`./worker${import.meta.url.slice(-3)}`, import.meta.url), {
    workerData: { dataDir, quickCheckUpToBytes, folding, nowMs: clock.wallMs() },
    // Bodies are outside the heap. Neither limit is reserved: idle memory is the same with 4 and with 24 MB of young ones,
    // but with 4 there was a scavenge every 200 keys, and they took 1 us of CPU more per key.
    resourceLimits: { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 256 },
    stdin: false,
  })
  const connection = new Connection(worker, clock)
  await connection.opened
  meter?.statements(['transaction'])
  const calls = new GroupCommit<WrittenCall, Answered>({
    send: (batch) => connection.send(batch), connections: 1, maxOperations: MAX_OPERATIONS, maxBytes: MAX_BATCH_BYTES, gatherFrom: GATHER_FROM,
    ...(meter === undefined ? {} : { timer: { clock, took: (ms) => meter.storeTook('transaction', ms) } }),
  })
  return { keys: new EmbeddedKeyStore(connection, calls, new Flagged(wakeups), clock), outbox: new EmbeddedOutboxStore(calls), shadow: new EmbeddedShadowStore(calls) }
}

/** The keys alone. */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<KeyStore> {
  return (await openEmbeddedStores(options)).keys
}

class EmbeddedKeyStore implements KeyStore {
  readonly #connection: Connection
  readonly #calls: GroupCommit<WrittenCall, Answered>
  readonly #flagged: Flagged
  readonly #lent: LentDoubts
  #closing: Promise<void> | undefined

  constructor(connection: Connection, calls: GroupCommit<WrittenCall, Answered>, flagged: Flagged, clock: Clock) {
    this.#lent = new LentDoubts(clock)
    this.#connection = connection
    this.#flagged = flagged
    this.#calls = calls
  }

  claim(request: ClaimRequest, givenUp?: () => boolean): Promise<ClaimOutcome> {
    return this.#calls.submit(() => ['claim', wiredRequest(request)], request.outbox?.length ?? 0, givenUp).then(({ answer, bodies }) => claimOutcome(answer, bodies, request))
  }

  accept(request: ClaimRequest, { event, owner, quota }: AcceptedWork): Promise<AcceptOutcome> {
    const bytes = event.payload.length + (request.outbox?.length ?? 0)
    return this.#calls.submit((bodies) => ['accept', wiredRequest(request), wiredEvent(event, bodies), owner, quota], bytes).then(({ answer, bodies }) => acceptOutcome(answer, bodies))
  }

  async begin(request: BeginRequest): Promise<Begun> {
    const { id, operationRef, holder, leaseMs, onOrphan } = request
    const { answer } = await this.#calls.submit(() => ['begin', id, operationRef, holder, leaseMs, withinMs(onOrphan)], 0)
    const begun = begunFrom(answer, request)
    if (begun.kind === 'uncertain') this.#flagged.left(id)
    return begun
  }

  renew(claims: readonly { readonly claim: Claim, readonly leaseMs: number }[]): Promise<readonly WriteOutcome[]> {
    return Promise.all(claims.map(({ claim: { id, holder, fence }, leaseMs }) => this.#write(() => ['renew', id, holder, fence, leaseMs])))
  }

  complete({ id, holder, fence }: Claim, { reply, attempts, events }: Completion): Promise<WriteOutcome> {
    return this.#settle(id, (bodies) => ['complete', id, holder, fence, attempts, wiredReply(reply, bodies), wiredEvents(events, bodies)], weightOf(reply, events))
  }

  release({ id, holder, fence }: Claim): Promise<WriteOutcome> {
    return this.#settle(id, () => ['release', id, holder, fence])
  }

  abandon({ id, holder, fence }: Claim, cause: DoubtCause, attempts: number): Promise<WriteOutcome> {
    return this.#settle(id, () => ['abandon', id, holder, fence, cause, attempts])
  }

  resolve(id: KeyId, fence: number, resolution: Resolution, act: Act | null): Promise<WriteOutcome> {
    switch (resolution.as) {
      case 'not-executed': return this.#settle(id, () => ['resolve-not-executed', id, fence, resolution.operationRef, act])
      case 'completed': {
        const { reply, events } = resolution
        return this.#settle(id, (bodies) => ['resolve-completed', id, fence, wiredReply(reply, bodies), wiredEvents(events, bodies), act], weightOf(reply, events))
      }
      default: return resolution satisfies never
    }
  }

  async evict(id: KeyId, act: Act): Promise<Eviction> {
    const { answer } = await this.#calls.submit(() => ['evict', id, act], 0)
    return answer[0] === 'eviction' ? answer[1] : surprised(answer)
  }

  async forget(id: KeyId, act: Act): Promise<Forgetting> {
    const { answer } = await this.#calls.submit(() => ['forget', id, act], 0)
    if (answer[0] !== 'forgetting') return surprised(answer)
    if (answer[1] === 'forgotten') this.#flagged.left(id)
    return answer[1]
  }

  async audit(limit: number): Promise<readonly AuditEntry[]> {
    const { answer } = await this.#calls.submit(() => ['audit', limit], 0)
    return answer[0] === 'audit' ? answer[1] : surprised(answer)
  }

  flag(id: KeyId): Promise<'flagged' | 'settled'> {
    return this.#flagged.flag(id, () => this.find({ id }, 1))
  }

  async find(by: Parameters<KeyStore['find']>[0], limit: number): Promise<readonly KeyRecord[]> {
    const { answer, bodies } = await this.#calls.submit(() => ['find', ...criterionOf(by), limit], 0)
    if (answer[0] !== 'records') return surprised(answer)
    const places = answer[2]
    return answer[1].map((row, index) => {
      row[BODY] = copyOf(places[index] ?? NOWHERE, bodies)
      return openRecord(recordOf(row))
    })
  }

  /** One process has the file, so what is given out needs no place in it. */
  async doubts(limit: number, rest: Rest): Promise<readonly Doubt[]> {
    const { answer } = await this.#calls.submit(() => ['doubts', limit + this.#lent.size], 0)
    return answer[0] === 'records' ? this.#lent.lend(answer[1].map(recordOf), limit, rest) : surprised(answer)
  }

  async reap(limit: number): Promise<Reaped> {
    return { orphaned: await this.#count(() => ['reap', limit]) }
  }

  async sweep(limit: number): Promise<Swept> {
    return { deleted: await this.#count(() => ['sweep', limit]) }
  }

  async census(): Promise<Census> {
    const { answer } = await this.#calls.submit(() => ['census'], 0)
    if (answer[0] !== 'census') return surprised(answer)
    return { inFlight: answer[1], uncertain: answer[2], completed: answer[3] }
  }

  async secret(candidate: string): Promise<string> {
    const { answer } = await this.#calls.submit(() => ['secret', candidate], 0)
    return answer[0] === 'secret' ? answer[1] : surprised(answer)
  }

  async keySpace(seen: string | null, next: string): Promise<string> {
    const { answer } = await this.#calls.submit(() => ['key-space', seen, next], 0)
    return answer[0] === 'key-space' ? answer[1] : surprised(answer)
  }

  close(): Promise<void> {
    this.#closing ??= this.#calls.close().then(() => this.#connection.close())
    return this.#closing
  }

  #write(call: WrittenCall): Promise<WriteOutcome> {
    return this.#calls.submit(call, 0).then(({ answer }) => writeOutcome(answer))
  }

  /** A write that ends a flight, if it is not fenced. */
  #settle(id: KeyId, call: WrittenCall, bytes = 0): Promise<WriteOutcome> {
    return this.#calls.submit(call, bytes).then(({ answer }) => {
      const outcome = writeOutcome(answer)
      if (outcome === 'written') this.#flagged.left(id)
      return outcome
    })
  }

  async #count(call: WrittenCall): Promise<number> {
    const { answer } = await this.#calls.submit(call, 0)
    return answer[0] === 'count' ? answer[1] : surprised(answer)
  }
}

function criterionOf(by: Parameters<KeyStore['find']>[0]): ['id' | 'keyDigest' | 'operationRef' | 'state', string] {
  if ('id' in by) return ['id', by.id]
  if ('keyDigest' in by) return ['keyDigest', by.keyDigest]
  if ('operationRef' in by) return ['operationRef', by.operationRef]
  return ['state', by.state]
}

function openRecord(record: KeyRecord): KeyRecord {
  return record.state === 'completed' ? { ...record, reply: openReply(record.reply) } : record
}

function wiredReply(stored: StoredReply, bodies: Bodies): WiredReply {
  if (stored.kind === 'not-kept') return [stored.status, null, null, NOWHERE]
  const { status, headers, trailers, body } = stored.reply
  return [status, sealFields(headers), sealFields(trailers), bodies.add(body)]
}

function weightOf(stored: StoredReply, events: readonly OutboxEvent[]): number {
  return events.reduce((sum, event) => sum + event.payload.length, stored.kind === 'kept' ? stored.reply.body.length : 0)
}

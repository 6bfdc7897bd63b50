import type { Delivery, Outgoing } from '../../core/delivery.ts'
import { FENCED, KafkaFailure } from './failure.ts'
import { partitionOf } from './partition.ts'
import { Patience } from './patience.ts'
import { failureOf, lostTo, produce, type Identity, type ProduceContext } from './produce.ts'
import { encodeNote, NOTES, Published, type Place, type StoredNote } from './published.ts'

/*
 * Publishes batches as transactions, each with a note of what it published (published.ts).
 *
 *     (none) --begin: earlier holders of the id are fenced, their notes are read--> ready
 *     ready --a batch: written, noted, committed--> ready
 *       |  |--it failed before the commit was asked for--> aborting --ended, with a higher epoch--> ready
 *       |  '--nobody says whether it was committed------> committing --asked again, and the note read--> ready
 *       '--somebody else began, or the coordinator's patience ended--> fenced --begin--> ready
 *
 * Only `begin` takes the id from somebody. What ends an open transaction names the epoch that we had: it fails if that was taken
 * from us, so whoever is paused for long and goes on cannot throw out the one who came after. After a transaction that failed
 * the epoch rises, so that what is still under way of it is refused, however late it arrives.
 *
 * A coordinator of Kafka 4.3 that restarts while partitions have no leader forgets to tell them how a transaction ended
 * (KAFKA-20734): it calls the transaction complete, its records and its note hang, and the next marker of this producer decides over
 * them. So nothing is written before the notes are stable, and an empty transaction over all partitions repeats the decision, if the
 * coordinator still knew it when we came. Where nobody knows it the sink does not begin: guessing might lose what was settled.
 */

type State =
  | { readonly kind: 'none' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'aborting', readonly ended: boolean }
  | { readonly kind: 'committing', readonly place: Place, readonly events: readonly Outgoing[] }

export interface TransactionContext extends ProduceContext {
  readonly transactionalId: string
  readonly sink: string
}

/** How long a coordinator lets a transaction be open beyond the time of one call, before it ends it by itself. */
const OPEN_FOR_MS = 60_000
const NOT_BEGUN = new KafkaFailure('unreachable', 'the transactional producer has not begun')
const TAKEN = new KafkaFailure('answered', 'PRODUCER_FENCED')
const UNSTABLE = 'UNSTABLE_OFFSET_COMMIT'
/** After the coordinator called a transaction complete. */
const STABLE_WITHIN_MS = 500
/** By the state of a transaction: whether it was committed. One that is open is aborted by whoever begins. */
const DECISIONS: ReadonlyMap<string, boolean> = new Map([['PrepareCommit', true], ['CompleteCommit', true], ['PrepareAbort', false], ['CompleteAbort', false]])
/** Nobody had the id yet, or a broker is too old to tell. */
const NOTHING_KNOWN: ReadonlySet<string> = new Set(['TRANSACTIONAL_ID_NOT_FOUND', 'UNSUPPORTED_VERSION', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'])
/** What one note is sure to take, unless their rows are far apart. */
const NOTED_EVENTS = 500

export class TransactionalProducer {
  readonly #context: TransactionContext
  #state: State = { kind: 'none' }
  #identity: Identity = { id: -1n, epoch: -1, sequences: new Map(), spoiled: false }
  #published = new Published()
  /** whether the last transaction that was ended was committed, as far as that is known */
  #decided: boolean | null = null
  /** where the note is of a commit that was answered, and perhaps not carried out yet */
  #unmarked: number | null = null
  /** an empty transaction is open that repeats what was decided */
  #repeating = false
  /** what the call before answered: by the next one the relay has settled it (core/outbox-ports.ts) */
  #answered: readonly Outgoing[] = []

  constructor(context: TransactionContext) {
    this.#context = context
  }

  async begin(patience: Patience): Promise<void> {
    this.#state = { kind: 'none' }
    if (this.#repeating && this.#decided !== null) await this.#end(this.#decided, patience).catch((error: unknown) => this.#notFenced(error))
    const before = await this.#describe(patience)
    await this.#initialise(false, patience)
    // else somebody was quicker, and what became of it we did not see
    this.#decided = this.#identity.epoch === before.nextEpoch ? before.decided : null
    if (await this.#hangs()) await this.#repeatDecision(patience)
    this.#repeating = false
    this.#unmarked = null
    this.#published = new Published(await this.#readNotes(patience))
    this.#answered = []
    this.#state = { kind: 'ready' }
  }

  /** What the coordinator decided last, and the epoch that the next to begin gets if nothing happens in between. */
  async #describe(patience: Patience): Promise<{ readonly decided: boolean | null, readonly nextEpoch: number }> {
    const { cluster, transactionalId } = this.#context
    try {
      const { transactionStates } = await cluster.requestCoordinator('transaction', transactionalId, true, patience, cluster.library.describeTransactionsV0.api, [transactionalId])
      const [found] = transactionStates
      if (found === undefined) return { decided: null, nextEpoch: -1 }
      const open = found.transactionState === 'Ongoing'
      const ours = found.producerId === this.#identity.id && found.producerEpoch === this.#identity.epoch
      const decided = open ? false : DECISIONS.get(found.transactionState) ?? (ours ? this.#decided : null)
      // whoever begins ends an open one with an epoch of its own
      return { decided, nextEpoch: found.producerEpoch + (open ? 2 : 1) }
    } catch (error) {
      const failure = failureOf(error)
      if (failure.kind !== 'answered' || !NOTHING_KNOWN.has(failure.code)) throw failure
      return { decided: null, nextEpoch: -1 }
    }
  }

  /** Whether a transaction that the coordinator calls complete is still open where the notes are. */
  async #hangs(): Promise<boolean> {
    const patience = new Patience(this.#context.clock, STABLE_WITHIN_MS, [])
    try {
      await this.#readNotes(patience)
      return false
    } catch (error) {
      return failureOf(error).code === UNSTABLE
    } finally {
      patience.done()
    }
  }

  async #repeatDecision(patience: Patience): Promise<void> {
    if (this.#decided === null) throw new KafkaFailure('answered', `${UNSTABLE}: a transaction hangs, and whether it was committed is not known`)
    const { length } = await this.#context.cluster.layout(patience)
    this.#repeating = true
    await this.#add([...Array.from({ length }).keys()], [...Array.from({ length: NOTES }).keys()], patience)
    await this.#end(this.#decided, patience)
    await this.#initialise(true, patience)
  }

  #notFenced(error: unknown): void {
    const failure = failureOf(error)
    if (!FENCED.has(failure.code)) throw failure
  }

  /** One delivery for each event, by its row. Never rejects. */
  async deliver(events: readonly Outgoing[], patience: Patience): Promise<Map<number, Delivery>> {
    const ends = new Map<number, Delivery>()
    this.#published.told(this.#answered)
    try {
      await this.#settle(patience)
      for (const event of events) if (this.#published.has(event)) ends.set(event.row, { kind: 'delivered' })
      const fresh = events.filter(({ row }) => !ends.has(row))
      for (const part of parts(fresh)) {
        await this.#awaitMarkers(patience)
        for (const [row, end] of await this.#transaction(part, patience)) ends.set(row, end)
        if (this.#state.kind !== 'ready') break
      }
    } catch (error) {
      this.#lose(events, failureOf(error), ends)
    }
    this.#lose(events, new KafkaFailure('unreachable', 'an earlier transaction failed'), ends)
    this.#answered = events.filter(({ row }) => ends.get(row)?.kind === 'delivered')
    return ends
  }

  /** Before the next transaction, whose own marker would decide over the one before if that hangs. */
  async #awaitMarkers(patience: Patience): Promise<void> {
    if (this.#unmarked !== null) await this.#readNote(this.#unmarked, patience)
    this.#unmarked = null
  }

  #lose(events: readonly Outgoing[], failure: KafkaFailure, ends: Map<number, Delivery>): void {
    for (const { row } of events) if (!ends.has(row)) ends.set(row, lostTo(failure))
  }

  async #transaction(events: readonly Outgoing[], patience: Patience): Promise<Map<number, Delivery>> {
    const place = this.#published.next()
    this.#state = { kind: 'aborting', ended: false }
    try {
      await this.#join(events, place.slot, patience)
      const ends = await produce(this.#context, this.#identity, events, patience)
      const lost = [...ends.values()].find((end) => end.kind === 'retryable' && end.blame !== 'event')
      if (lost !== undefined) return await this.#abandon(events, ends, lost, patience)
      const written = events.filter(({ row }) => ends.get(row)?.kind === 'delivered')
      await this.#note(place, written, patience)
      this.#state = { kind: 'committing', place, events: written }
      await this.#settle(patience)
      if (!written.every((event) => this.#published.has(event))) throw new KafkaFailure('answered', 'the transaction was aborted')
      return ends
    } catch (error) {
      const failure = this.#failed(error)
      return new Map(events.map(({ row }) => [row, lostTo(failure)]))
    }
  }

  /** What was written is of a transaction that will not be: it is sent again. What was refused stays refused. */
  async #abandon(events: readonly Outgoing[], ends: ReadonlyMap<number, Delivery>, again: Delivery, patience: Patience): Promise<Map<number, Delivery>> {
    // readers of the topic wait behind an open transaction, so it is ended now if that is possible
    await this.#settle(patience).catch((error: unknown) => this.#failed(error))
    return new Map(events.map(({ row }) => {
      const end = ends.get(row)
      return [row, end?.kind === 'refused' ? end : again]
    }))
  }

  #failed(error: unknown): KafkaFailure {
    const failure = failureOf(error)
    if (failure.kind === 'answered' && FENCED.has(failure.code)) this.#state = { kind: 'fenced' }
    return failure
  }

  /** Ends what the call before left open. */
  async #settle(patience: Patience): Promise<void> {
    for (;;) {
      const state = this.#state
      switch (state.kind) {
        case 'ready': return
        case 'none': throw NOT_BEGUN
        case 'fenced': throw TAKEN
        case 'committing':
          await this.#finishCommit(state, patience)
          break
        case 'aborting':
          await this.#finishAbort(state, patience)
          break
        default: state satisfies never
      }
    }
  }

  async #finishCommit({ place, events }: Extract<State, { kind: 'committing' }>, patience: Patience): Promise<void> {
    const committed = await this.#end(true, patience)
    // The note is what decides, where the answer does not say it: it is there exactly if the transaction is.
    if (committed || (await this.#readNote(place.slot, patience)).counter === place.counter) {
      this.#decided = true
      this.#unmarked = place.slot
      this.#published.commit(place, events)
      this.#state = { kind: 'ready' }
    } else {
      this.#state = { kind: 'aborting', ended: true }
    }
  }

  async #finishAbort({ ended }: Extract<State, { kind: 'aborting' }>, patience: Patience): Promise<void> {
    if (!ended && await this.#end(false, patience)) this.#decided = false
    // From here on the epoch may have risen already, and only this request may be repeated under the old one.
    this.#state = { kind: 'aborting', ended: true }
    try {
      await this.#initialise(true, patience)
    } catch (error) {
      throw this.#failed(error)
    }
    // the marker of the next transaction would decide over one that hangs
    await this.#readNotes(patience)
    this.#state = { kind: 'ready' }
  }

  /** Asks for the end of the transaction until the answer is known; false: there is none that could be ended so. */
  async #end(commit: boolean, patience: Patience): Promise<boolean> {
    const { cluster, transactionalId } = this.#context
    try {
      await cluster.requestCoordinator('transaction', transactionalId, true, patience, cluster.library.endTxnV3.api, transactionalId, this.#identity.id, this.#identity.epoch, commit)
      return true
    } catch (error) {
      const failure = this.#failed(error)
      if (failure.code === 'INVALID_TXN_STATE' || failure.code === 'INVALID_PRODUCER_ID_MAPPING') return false
      throw failure
    }
  }

  /** `own`: a higher epoch of the identity that we have, if it is still ours; else whoever has the id is fenced. */
  async #initialise(own: boolean, patience: Patience): Promise<void> {
    const { cluster, transactionalId, timeoutMs } = this.#context
    const { id, epoch } = own ? this.#identity : { id: undefined, epoch: undefined }
    const { producerId, producerEpoch } = await cluster.requestCoordinator('transaction', transactionalId, false, patience,
      cluster.library.initProducerIdV4.api, transactionalId, timeoutMs + OPEN_FOR_MS, id, epoch)
    this.#identity = { id: producerId, epoch: producerEpoch, sequences: new Map(), spoiled: false }
  }

  async #join(events: readonly Outgoing[], slot: number, patience: Patience): Promise<void> {
    const { length } = await this.#context.cluster.layout(patience)
    await this.#add([...new Set(events.map(({ lane }) => partitionOf(Buffer.from(lane), length)))], [slot], patience)
  }

  async #add(partitions: number[], slots: readonly number[], patience: Patience): Promise<void> {
    const { cluster, transactionalId, topic } = this.#context
    const { addPartitionsToTxnV3, addOffsetsToTxnV3 } = cluster.library
    const { id, epoch } = this.#identity
    for (const slot of slots) {
      await cluster.requestCoordinator('transaction', transactionalId, false, patience, addOffsetsToTxnV3.api, transactionalId, id, epoch, this.#group(slot))
    }
    await cluster.requestCoordinator('transaction', transactionalId, false, patience, addPartitionsToTxnV3.api,
      [{ transactionalId, producerId: id, producerEpoch: epoch, verifyOnly: false, topics: [{ name: topic, partitions }] }])
  }

  async #note({ slot, counter, open }: Place, written: readonly Outgoing[], patience: Patience): Promise<void> {
    const { cluster, transactionalId, topic } = this.#context
    const group = this.#group(slot)
    const partitions = [{ partitionIndex: 0, committedOffset: BigInt(counter), committedLeaderEpoch: -1, committedMetadata: encodeNote(written, open) }]
    await cluster.requestCoordinator('group', group, false, patience, cluster.library.txnOffsetCommitV3.api,
      transactionalId, group, this.#identity.id, this.#identity.epoch, -1, '', null, [{ name: topic, partitions }])
  }

  async #readNotes(patience: Patience): Promise<StoredNote[]> {
    const notes: StoredNote[] = []
    for (let slot = 0; slot < NOTES; slot += 1) notes.push(await this.#readNote(slot, patience))
    return notes
  }

  async #readNote(slot: number, patience: Patience): Promise<StoredNote> {
    const { cluster, topic } = this.#context
    const group = this.#group(slot)
    const { topics } = await cluster.requestCoordinator('group', group, true, patience, cluster.library.offsetFetchV7.api, [{ groupId: group, topics: [{ name: topic, partitionIndexes: [0] }] }], true)
    const found = topics[0]?.partitions[0]
    return { counter: Number(found?.committedOffset ?? -1n), metadata: found?.metadata ?? '' }
  }

  #group(slot: number): string {
    return `onceward-relay-${this.#context.sink}-${slot}`
  }
}

/** Halved until what is noted down of each fits. */
function parts(events: readonly Outgoing[]): (readonly Outgoing[])[] {
  if (events.length === 0) return []
  if (events.length === 1 || (events.length <= NOTED_EVENTS && encodeNote(events, 0) !== null)) return [events]
  const half = Math.ceil(events.length / 2)
  return [...parts(events.slice(0, half)), ...parts(events.slice(half))]
}

import type { MessageRecord, produceV9 } from '@platformatic/kafka'
import type { Delivery, Outgoing } from '../../core/delivery.ts'
import type { Clock } from '../../core/ports.ts'
import type { Broker, Cluster } from './cluster.ts'
import { hostPort, KafkaFailure } from './failure.ts'
import { partitionOf } from './partition.ts'
import { GivenUp, type Patience } from './patience.ts'

/*
 * Writes events to their partitions, one request out for each leader, and one batch of each partition in it. What became of a
 * batch:
 *
 *     written            its events are delivered, the partition's next sequence number rises
 *     too large, invalid nothing of it was written: its halves are sent one after the other, and one event alone is refused
 *     no answer          the same batch is sent again under the same numbers, by which the broker knows it, while there is time
 *     anything else      the partition is left alone: what is left of it is for the relay to send again
 *
 * After an end of the last two kinds the numbers are in doubt, and this identity is not used again (`Identity.spoiled`): a later
 * batch under a number that the broker has seen would be taken for a repetition, confirmed, and lost.
 */

/** What the broker knows this producer by, and how far each partition has come. */
export interface Identity {
  readonly id: bigint
  readonly epoch: number
  readonly sequences: Map<number, number>
  spoiled: boolean
}

export interface ProduceContext {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly topic: string
  readonly timeoutMs: number
  readonly transactionalId: string | null
}

interface Piece {
  readonly partition: number
  readonly events: readonly Outgoing[]
  /** it may stand in the log already */
  sent: boolean
}

interface Sent {
  readonly piece: Piece
  readonly failure: KafkaFailure | null
}

const ID_HEADER = Buffer.from('ce_id')
const TYPE_HEADER = Buffer.from('content-type')
const CLOUD_EVENT = Buffer.from('application/cloudevents+json')
const ALL = -1
const SEQUENCES = 2 ** 31
const AGAIN_AFTER_MS = 50
const BROKEN_UP: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD'])
const BEHIND_REFUSED: Delivery = { kind: 'retryable', cause: 'an earlier event of its lane was refused', blame: 'event', notBeforeMs: null }

/** One delivery for each event, by its row. Never rejects. */
export async function produce(context: ProduceContext, identity: Identity, events: readonly Outgoing[], patience: Patience): Promise<Map<number, Delivery>> {
  const ends = new Map<number, Delivery>()
  const refusedLanes = new Set<string>()
  let queue: Piece[] | null = null
  for (;;) {
    let sent: Sent[]
    try {
      const layout = await context.cluster.layout(patience)
      queue ??= pieces(events, layout.length)
      sent = await sendHeads(context, identity, heads(queue), layout, patience)
    } catch (error) {
      const failure = failureOf(error)
      sent = (queue ?? [{ partition: 0, events, sent: false }]).map((piece) => ({ piece, failure }))
      queue ??= []
    }
    const left: Piece[] = []
    const lost = new Map<number, KafkaFailure>()
    for (const { piece, failure } of sent) {
      if (failure === null) {
        identity.sequences.set(piece.partition, ((identity.sequences.get(piece.partition) ?? 0) + piece.events.length) % SEQUENCES)
        for (const { row } of piece.events) ends.set(row, { kind: 'delivered' })
      } else if (BROKEN_UP.has(failure.code)) {
        left.push(...broken(piece, failure, ends, refusedLanes))
      } else if ((failure.unknown || piece.sent) && !patience.over) {
        piece.sent ||= failure.kind !== 'unreachable'
        context.cluster.forgetLayout()
        left.push(piece)
      } else {
        identity.spoiled ||= failure.kind !== 'unreachable' || piece.sent
        context.cluster.forgetLayout()
        lost.set(piece.partition, failure)
        for (const { row } of piece.events) ends.set(row, lostTo(failure, failure.unknown ? 'unknown' : 'sink'))
      }
    }
    const waits = left.some((piece) => piece.sent)
    const done = new Set(sent.map(({ piece }) => piece))
    for (const piece of queue.filter((one) => !done.has(one))) {
      const failure = lost.get(piece.partition)
      if (failure === undefined) left.push(piece)
      else for (const { row } of piece.events) ends.set(row, lostTo(failure))
    }
    queue = left.flatMap((piece) => withoutLanes(piece, refusedLanes, ends))
    if (queue.length === 0) return ends
    if (waits) await patience.pause(AGAIN_AFTER_MS).catch(() => undefined)
  }
}

export function failureOf(error: unknown): KafkaFailure {
  if (error instanceof KafkaFailure) return error
  if (error instanceof GivenUp) return new KafkaFailure('unreachable', 'out of time')
  throw error
}

/** Where the events themselves were not what was asked about, or may have been. */
export function lostTo(failure: KafkaFailure, blame: 'sink' | 'unknown' = 'sink'): Delivery {
  return { kind: 'retryable', cause: failure.message, blame, notBeforeMs: null }
}

function pieces(events: readonly Outgoing[], partitions: number): Piece[] {
  const byPartition = Map.groupBy(events, ({ lane }) => partitionOf(Buffer.from(lane), partitions))
  return [...byPartition].map(([partition, of]) => ({ partition, events: of, sent: false }))
}

/** The first piece of each partition: the second waits until it has ended. */
function heads(queue: readonly Piece[]): Piece[] {
  const first = new Map<number, Piece>()
  for (const piece of queue) if (!first.has(piece.partition)) first.set(piece.partition, piece)
  return [...first.values()]
}

function broken({ partition, events }: Piece, failure: KafkaFailure, ends: Map<number, Delivery>, refusedLanes: Set<string>): Piece[] {
  const [only, ...more] = events
  if (only !== undefined && more.length === 0) {
    ends.set(only.row, { kind: 'refused', reason: failure.message })
    refusedLanes.add(only.lane)
    return []
  }
  const half = Math.ceil(events.length / 2)
  return [{ partition, events: events.slice(0, half), sent: false }, { partition, events: events.slice(half), sent: false }]
}

/** What stands behind a refused event of its lane must not overtake it. One that was sent already has to keep its numbers. */
function withoutLanes(piece: Piece, lanes: ReadonlySet<string>, ends: Map<number, Delivery>): Piece[] {
  if (lanes.size === 0 || piece.sent || !piece.events.some(({ lane }) => lanes.has(lane))) return [piece]
  const events = piece.events.filter(({ row, lane }) => {
    if (lanes.has(lane)) ends.set(row, BEHIND_REFUSED)
    return !lanes.has(lane)
  })
  return events.length === 0 ? [] : [{ ...piece, events }]
}

async function sendHeads(context: ProduceContext, identity: Identity, batches: readonly Piece[], layout: readonly (Broker | null)[], patience: Patience): Promise<Sent[]> {
  const byLeader = Map.groupBy(batches, ({ partition }) => {
    const leader = layout[partition] ?? null
    return leader === null ? '' : hostPort(leader)
  })
  const sent = await Promise.all([...byLeader.values()].map(async (group) => {
    const leader = layout[group[0]?.partition ?? -1] ?? null
    if (leader === null) return group.map((piece) => ({ piece, failure: new KafkaFailure('answered', 'LEADER_NOT_AVAILABLE') }))
    return send(context, identity, group, leader, patience)
  }))
  return sent.flat()
}

async function send(context: ProduceContext, identity: Identity, group: readonly Piece[], leader: Broker, patience: Patience): Promise<Sent[]> {
  const { cluster, topic, timeoutMs, transactionalId, clock } = context
  const timestamp = BigInt(clock.wallMs())
  const records = group.flatMap(({ partition, events }) => events.map((event): MessageRecord => ({
    topic, partition, timestamp,
    key: Buffer.from(event.lane),
    value: Buffer.from(event.payload.buffer, event.payload.byteOffset, event.payload.byteLength),
    headers: new Map([[ID_HEADER, Buffer.from(event.id)], [TYPE_HEADER, CLOUD_EVENT]]),
  })))
  const sequences = new cluster.library.NumericMap(group.map(({ partition }) => [`${topic}:${partition}`, identity.sequences.get(partition) ?? 0]))
  const options = { transactionalId, producerId: identity.id, producerEpoch: identity.epoch, sequences }
  try {
    const response = await cluster.request(leader, patience, cluster.library.produceV9.api, ALL, timeoutMs, records, options)
    return judged(cluster, group, response)
  } catch (error) {
    const failure = failureOf(error)
    return failure.kind === 'answered' ? judged(cluster, group, failure.response) : group.map((piece) => ({ piece, failure }))
  }
}

/** Each partition has an answer of its own. */
function judged({ library }: Cluster, group: readonly Piece[], response: unknown): Sent[] {
  const answers = new Map(partitionsIn(response).map((answer) => [answer.index, answer]))
  return group.map((piece) => {
    const answer = answers.get(piece.partition)
    if (answer === undefined) return { piece, failure: new KafkaFailure('silent', 'no answer for the partition') }
    const code = library.protocolErrorsCodesById[answer.errorCode] ?? `error ${answer.errorCode}`
    // the broker knows the batch: it was written the first time
    const written = answer.errorCode === 0 || code === 'DUPLICATE_SEQUENCE_NUMBER'
    return { piece, failure: written ? null : new KafkaFailure('answered', code) }
  })
}

function partitionsIn(response: unknown): readonly produceV9.ProduceResponsePartition[] {
  return isProduceResponse(response) ? response.responses.flatMap(({ partitionResponses }) => partitionResponses) : []
}

function isProduceResponse(value: unknown): value is { readonly responses: readonly { readonly partitionResponses: readonly produceV9.ProduceResponsePartition[] }[] } {
  return typeof value === 'object' && value !== null && 'responses' in value && Array.isArray(value.responses)
}

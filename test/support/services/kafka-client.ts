import { Connection, createTopicsV5, fetchV12, findCoordinatorV3, IS_CONTROL, listOffsetsV6, metadataV9, offsetFetchV7, type RecordsBatch } from '@platformatic/kafka'

/*
 * What tests ask of a broker: a topic, and what stands in it. The library's own consumer is not used for that: it remembers one
 * aborted transaction of a producer in a fetch, and shows the records of those before it as if they had been committed.
 */

export interface Address {
  readonly host: string
  readonly port: number
}

export interface KafkaRecord {
  readonly partition: number
  readonly offset: number
  readonly key: string
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
}

export type Isolation = 'read_committed' | 'read_uncommitted'

const WITHIN_MS = 5000
const CODES: Readonly<Record<Isolation, number>> = { read_uncommitted: 0, read_committed: 1 }

/** Rejects until there is a broker that knows itself. */
export async function describeCluster(at: Address): Promise<void> {
  await connected(at, async (connection) => {
    const { brokers } = await metadataV9.api.async(connection, [])
    if (brokers.length === 0) throw new Error('no broker is registered yet')
  })
}

export async function makeTopic(at: Address, name: string, partitions: number, settings: Readonly<Record<string, string | number>>): Promise<void> {
  const configs = Object.entries(settings).map(([setting, value]) => ({ name: setting, value: String(value) }))
  await connected(at, async (connection) => {
    await createTopicsV5.api.async(connection, [{ name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs }], WITHIN_MS, false)
    for (;;) {
      try {
        // that a leader is named does not mean that it knows: so each partition is asked for its end
        for (let partition = 0; partition < partitions; partition += 1) await endOf(connection, name, partition, 0)
        return
      } catch {
        // it takes a moment until the broker has heard of it
      }
      await new Promise((resolve) => { setTimeout(resolve, 20) })
    }
  })
}

/**
 * All that a reader of this isolation sees, partition by partition, in order. One of committed records waits a while for open
 * transactions: the coordinator answers a commit before the partitions have heard of it.
 */
export async function readTopic(at: Address, topic: string, isolation: Isolation): Promise<KafkaRecord[]> {
  return connected(at, async (connection) => {
    const { topics } = await metadataV9.api.async(connection, [topic])
    const records: KafkaRecord[] = []
    for (const { partitionIndex } of (topics[0]?.partitions ?? []).toSorted((a, b) => a.partitionIndex - b.partitionIndex)) {
      records.push(...await readPartition(connection, topic, partitionIndex, isolation))
    }
    return records
  })
}

async function readPartition(connection: Connection, topic: string, partition: number, isolation: Isolation): Promise<KafkaRecord[]> {
  const isolationLevel = CODES[isolation]
  const givenUpAt = Date.now() + WITHIN_MS
  let end = await endOf(connection, topic, partition, isolationLevel)
  while (end < await endOf(connection, topic, partition, CODES.read_uncommitted) && Date.now() < givenUpAt) {
    await new Promise((resolve) => { setTimeout(resolve, 10) })
    end = await endOf(connection, topic, partition, isolationLevel)
  }
  const seen: KafkaRecord[] = []
  for (let offset = 0n; offset < end;) {
    const { responses } = await fetchV12.api.async(connection, 100, 1, 16_777_216, isolationLevel, 0, -1,
      [{ topicId: topic, partitions: [{ partition, currentLeaderEpoch: -1, fetchOffset: offset, lastFetchedEpoch: -1, partitionMaxBytes: 16_777_216 }] }], [], '')
    const fetched = responses[0]?.partitions[0]
    const batches = fetched?.records ?? []
    const visible = isolation === 'read_committed' ? withoutAborted(batches, fetched?.abortedTransactions ?? []) : batches.filter((batch) => !isControl(batch))
    for (const batch of visible) {
      for (const { offsetDelta, key, value, headers } of batch.records) {
        const at = batch.firstOffset + BigInt(offsetDelta)
        if (at < offset || at >= end) continue
        seen.push({ partition, offset: Number(at), key: String(key), value: value ?? Buffer.alloc(0), headers: Object.fromEntries(headers.map(([name, text]) => [String(name), String(text)])) })
      }
    }
    for (const batch of batches) {
      const next = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n
      if (next > offset) offset = next
    }
  }
  return seen
}

/** The last stable offset, or the high watermark. */
async function endOf(connection: Connection, topic: string, partition: number, isolationLevel: number): Promise<bigint> {
  const { topics } = await listOffsetsV6.api.async(connection, -1, isolationLevel, [{ name: topic, partitions: [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp: -1n }] }])
  return topics[0]?.partitions[0]?.offset ?? 0n
}

/** As Apache's consumer does it: a producer's records are dropped from the first offset of an aborted transaction to its marker. */
function withoutAborted(batches: readonly RecordsBatch[], aborted: readonly { readonly producerId: bigint, readonly firstOffset: bigint }[]): RecordsBatch[] {
  const upcoming = aborted.toSorted((a, b) => Number(a.firstOffset - b.firstOffset))
  const aborting = new Set<bigint>()
  return batches.filter((batch) => {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta)
    while (upcoming[0] !== undefined && upcoming[0].firstOffset <= last) aborting.add(upcoming.shift()?.producerId ?? -1n)
    if (isControl(batch)) {
      if (batch.records[0]?.key?.readInt16BE(2) === 0) aborting.delete(batch.producerId)
      return false
    }
    return !aborting.has(batch.producerId)
  })
}

function isControl(batch: RecordsBatch): boolean {
  return (batch.attributes & IS_CONTROL) !== 0
}

/** What a group has noted down for partition 0 of the topic. */
export async function readOffset(at: Address, group: string, topic: string): Promise<{ readonly offset: number, readonly metadata: string }> {
  return connected(at, async (connection) => {
    await findCoordinatorV3.api.async(connection, 0, [group])
    const { topics } = await offsetFetchV7.api.async(connection, [{ groupId: group, topics: [{ name: topic, partitionIndexes: [0] }] }], true)
    const { committedOffset = -1n, metadata = '' } = topics[0]?.partitions[0] ?? {}
    return { offset: Number(committedOffset), metadata: metadata ?? '' }
  })
}

async function connected<T>(at: Address, ask: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = new Connection('onceward-tests', { connectTimeout: WITHIN_MS, requestTimeout: WITHIN_MS })
  connection.on('error', () => undefined) // whoever waits hears of it too
  await connection.connect(at.host, at.port)
  try {
    return await ask(connection)
  } finally {
    await connection.close()
  }
}

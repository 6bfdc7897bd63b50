import { test } from 'tap'
import t from 'tap'
import type { Outgoing } from '../../src/core/delivery.ts'
import type { Sink } from '../../src/core/outbox-ports.ts'
import { startKafkaRelay } from '../support/kafka-relay.ts'
import { readTopic } from '../support/services/kafka-client.ts'
import { startKafka, type KafkaBroker } from '../support/services/kafka.ts'
import { needs } from '../support/services/needs.ts'
import { eventsIn, kafkaTo, never } from './kafka-situation.ts'

needs(t, 'kafka')

const LANES = 40
const EVENTS = 8000
const PER_CALL = 200
const relay = await startKafkaRelay(() => broker.relayedPort)
const broker: KafkaBroker = await startKafka(t, { advertise: relay.port })
t.teardown(() => relay.close())

/** Each begins when so many events have been settled. */
const FAULTS: readonly { readonly at: number, readonly what: string, readonly run: () => Promise<void> }[] = [
  { at: 500, what: 'every connection is cut', run: async () => relay.cut() },
  { at: 1200, what: 'nothing gets through for a second', run: async () => { relay.mode = 'swallow'; await pause(1000); relay.mode = 'pass' } },
  { at: 2400, what: 'the broker hangs for a second', run: async () => { broker.pause(); await pause(1000); broker.resume() } },
  { at: 3600, what: 'the broker is killed and starts again', run: async () => { await broker.kill(); await broker.restart() } },
  { at: 5000, what: 'the broker is shut down and starts again', run: async () => { await broker.shutDown(); await broker.restart() } },
]

for (const transactionalId of ['faults', null]) {
  test(`cut, partitioned, stopped and killed under load: ${transactionalId === null ? 'nothing is lost, and what comes twice has the same id' : 'readers of committed records see every event once, in order'}`, async (t) => {
    const topic = await broker.topic(3)
    const open = async (): Promise<Sink> => {
      const sink = await kafkaTo(t, { host: '127.0.0.1', port: relay.port }, topic, { transactionalId, timeoutMs: 800 })
      await began(sink)
      return sink
    }
    const events = eventsIn(LANES, EVENTS)
    const lanes = [...Map.groupBy(events, ({ lane }) => lane).values()]
    let sink = await open()
    let settled = 0
    let crashes = 0
    const faults = [...FAULTS]
    let fault: Promise<void> = Promise.resolve()
    for (let call = 1; settled < EVENTS; call += 1) {
      if (faults[0] !== undefined && settled >= faults[0].at) {
        const next = faults.shift()
        t.comment(`${settled} settled: ${next?.what}`)
        fault = fault.then(() => next?.run())
      }
      const batch = heads(lanes)
      const delivery = sink.deliver(batch, never())
      // A crash in the middle of a delivery, or between it and its settle: whoever comes next knows nothing of it.
      const crash = call % 7 === 3 ? 'midst' : call % 7 === 0 ? 'after' : 'no'
      if (crash === 'midst') await pause((call * 5) % 24)
      const ends = crash === 'midst' ? [] : await delivery
      if (crash !== 'no') {
        crashes += 1
        await sink.close()
        sink = await open()
        continue
      }
      const stopped = new Set<string>()
      for (const [n, event] of batch.entries()) {
        if (ends[n]?.kind !== 'delivered') stopped.add(event.lane)
        if (stopped.has(event.lane)) continue
        lanes.find(([head]) => head === event)?.shift()
        settled += 1
      }
      if (stopped.size > 0) await began(sink)
    }
    await fault
    t.equal(faults.length, 0, 'all of it happened')
    const seen = await readTopic(broker, topic, 'read_committed')
    const ids = seen.map(({ headers }) => headers['ce_id'] ?? '')
    const first = seen.filter((_, n) => ids.indexOf(ids[n] ?? '') === n)
    t.comment(`${crashes} crashes; ${seen.length - first.length} of ${seen.length} records are repetitions`)
    t.equal(first.length, EVENTS, 'all ids are there')
    if (transactionalId !== null) t.equal(seen.length, EVENTS, 'and each once')
    const perLane = Map.groupBy(first, ({ key }) => key)
    for (const [lane, records] of perLane) {
      const rows = records.map(({ headers }) => headers['ce_id'] ?? '')
      if (rows.join() !== rows.toSorted().join()) t.fail(`${lane} is out of order`)
    }
  })
}

function heads(lanes: readonly (readonly Outgoing[])[]): Outgoing[] {
  return lanes.flatMap((lane) => lane.slice(0, PER_CALL / LANES))
}

/** As a relay does: again, until it succeeds. */
async function began(sink: Sink): Promise<void> {
  for (;;) {
    try {
      return await sink.begin()
    } catch {
      await pause(100)
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}

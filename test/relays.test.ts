import { NO_TRACER } from '../src/core/tracing.ts'
import { test } from 'tap'
import { Registry } from 'prom-client'
import type { Executor } from '../src/core/operations.ts'
import { Bell } from '../src/relay/bell.ts'
import { Relays } from '../src/relays.ts'
import { LocalWakeups } from '../src/store/local-wakeups.ts'
import { RelayMetrics } from '../src/telemetry/relay-metrics.ts'
import { FakeClock } from './support/fake-clock.ts'
import { MemoryOutboxStore } from './support/memory-outbox-store.ts'
import { NotedJournal } from './support/quiet.ts'
import { sinkSettings } from './support/scripted-sink.ts'

const OPERATIONS = { concurrency: 2, attempts: 3, baseMs: 10, capMs: 100, leaseMs: 10_000, quota: 10, requestBodyBytes: 1000, longestWaitMs: 1000 }
const NOTHING_ACCEPTED = { operations: OPERATIONS, accepts: false }

interface Scene {
  readonly relays: Relays
  readonly journal: NotedJournal
  readonly clock: FakeClock
  readonly store: MemoryOutboxStore
}

function scene(): Scene {
  const [clock, journal] = [new FakeClock(), new NotedJournal()]
  const random = { uniform: () => 0.5, token: () => 'holder' }
  const store = new MemoryOutboxStore(clock)
  const relays = new Relays({ store, bell: new Bell(new LocalWakeups(), clock), clock, random, meter: new RelayMetrics(new Registry()), journal, tracer: NO_TRACER })
  return { relays, journal, clock, store }
}

test('a stop waits for a relay that a reload is stopping', async (t) => {
  const { relays, journal, clock } = scene()
  await relays.start([sinkSettings({ name: 'first' })])
  await clock.advance(10)
  const reloaded = relays.adopt({ ...NOTHING_ACCEPTED, sinks: [sinkSettings({ name: 'second' })] })
  await relays.stop()
  t.ok(journal.events.includes('relay.leads-no-more'))
  await reloaded
  await clock.advance(10)
  t.equal(journal.events.filter((event) => event === 'relay.leads').length, 1, 'and the new one never begins')
})

test('a sink that is opened when everything stops gets no relay', async (t) => {
  const { relays, journal, clock } = scene()
  const reloaded = relays.adopt({ ...NOTHING_ACCEPTED, sinks: [sinkSettings({ name: 'first' })] })
  await relays.stop()
  await reloaded
  await clock.advance(10)
  t.notOk(journal.events.includes('relay.leads'))
})

const ACCEPTED = { id: 'op_1', sink: 'operations', lane: 'owner.op_1', type: 'operation.accepted', payload: Buffer.from('a request'), flaw: null }

/** Takes down what it was given. */
function executing(executed: string[]): Executor {
  return {
    execute: (payload) => {
      executed.push(Buffer.from(payload).toString())
      return Promise.resolve({ kind: 'completed' })
    },
  }
}

for (const given of ['since its start', 'since a reload'] as const) {
  test(`a process that accepts nothing ${given} executes what another one accepts afterwards and leaves behind`, async (t) => {
    const { relays, clock, store } = scene()
    const executed: string[] = []
    await relays.execute(executing(executed), { operations: OPERATIONS, accepts: given === 'since a reload' })
    if (given === 'since a reload') await Promise.all([relays.adopt({ ...NOTHING_ACCEPTED, sinks: [] }), clock.advance(10)])
    await clock.advance(10)
    store.put(ACCEPTED)
    for (let i = 0; i < 100 && executed.length === 0; i += 1) await clock.advance(1000)
    t.strictSame(executed, ['a request'])
    t.equal(store.waiting, 0)
    await Promise.all([relays.stop(), clock.advance(10_000)])
  })
}

test('a reload in the middle of which a drain begins executes nothing any more, and complains of nothing', async (t) => {
  for (let turns = 0; turns < 8; turns += 1) {
    const { relays, journal, clock } = scene()
    await relays.execute(executing([]), NOTHING_ACCEPTED)
    const reloaded = relays.adopt({ operations: OPERATIONS, accepts: true, sinks: [] })
    for (let i = 0; i < turns; i += 1) await Promise.resolve()
    await Promise.all([relays.stopExecuting(1000), reloaded])
    await clock.advance(10)
    t.equal(journal.events.filter((event) => event === 'relay.leads').length, journal.events.filter((event) => event === 'relay.leads-no-more').length, `after ${turns} turns`)
    t.notOk(journal.events.includes('sink.refused'))
    await Promise.all([relays.stop(), clock.advance(10_000)])
  }
})

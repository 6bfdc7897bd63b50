import { test } from 'tap'
import { Registry } from 'prom-client'
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
}

function scene(): Scene {
  const [clock, journal] = [new FakeClock(), new NotedJournal()]
  const random = { uniform: () => 0.5, token: () => 'holder' }
  const relays = new Relays({ store: new MemoryOutboxStore(clock), bell: new Bell(new LocalWakeups(), clock), clock, random, meter: new RelayMetrics(new Registry()), journal })
  return { relays, journal, clock }
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

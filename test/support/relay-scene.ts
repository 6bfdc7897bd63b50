import { NO_TRACER } from '../../src/core/tracing.ts'
import type { OutboxEvent } from '../../src/core/event.ts'
import type { OutboxStore } from '../../src/core/outbox-ports.ts'
import type { SinkSettings } from '../../src/core/sink-settings.ts'
import { Bell } from '../../src/relay/bell.ts'
import { Relay } from '../../src/relay/relay.ts'
import { LocalWakeups } from '../../src/store/local-wakeups.ts'
import { FakeClock } from './fake-clock.ts'
import { MemoryOutboxStore } from './memory-outbox-store.ts'
import { NotedJournal } from './quiet.ts'
import { NotedRelayMeter, sinkSettings, type ScriptedSink } from './scripted-sink.ts'

export interface RelayScene {
  readonly clock: FakeClock
  readonly store: MemoryOutboxStore
  readonly bell: Bell
  /** queries of all relays so far */
  readonly queries: { count: number }
  /** one process's relay; `through` may stand between it and the store */
  readonly relay: (sink: ScriptedSink, settings?: Partial<SinkSettings>, through?: (store: OutboxStore) => OutboxStore) => { readonly relay: Relay, readonly meter: NotedRelayMeter, readonly journal: NotedJournal }
}

export function relayScene(uniform: () => number = () => 0.5): RelayScene {
  const clock = new FakeClock()
  const store = new MemoryOutboxStore(clock)
  const bell = new Bell(new LocalWakeups(), clock)
  const queries = { count: 0 }
  let relays = 0
  return {
    clock, store, bell, queries,
    relay: (sink, more = {}, through = (own) => own) => {
      relays += 1
      const [meter, journal, token] = [new NotedRelayMeter(), new NotedJournal(), `holder-${relays}`]
      const relay = new Relay({ sink, settings: sinkSettings(more), store: through(counted(store, queries)), bell, clock, meter, journal, tracer: NO_TRACER, random: { uniform, token: () => token } })
      return { relay, meter, journal }
    },
  }
}

function counted(store: MemoryOutboxStore, queries: { count: number }): OutboxStore {
  return new Proxy<OutboxStore>(store, {
    get(target, name: keyof OutboxStore) {
      return (...args: unknown[]): unknown => {
        queries.count += 1
        return (target[name] as (...args: unknown[]) => unknown)(...args)
      }
    },
  })
}

let events = 0

export function event(lane: string, more: Partial<OutboxEvent> = {}): OutboxEvent {
  events += 1
  return { id: `evt_${events}`, sink: 'hook', lane, type: 'test.happened', payload: Buffer.from(`{"n":${events}}`), flaw: null, ...more }
}

export function eventsOf(lane: string, count: number): OutboxEvent[] {
  return Array.from({ length: count }, () => event(lane))
}

import type { OutboxStore, Sink } from '../../core/outbox-ports.ts'
import type { KeyStore } from '../../core/ports.ts'
import { timeText } from '../../core/time-text.ts'
import { COUNT, FLAG, listOf, objectOf, TEXT, TIME, type Resource } from './resource.ts'

export interface StateOptions {
  readonly keys: Pick<KeyStore, 'census'>
  readonly outbox: Pick<OutboxStore, 'census'>
  readonly about: { readonly service: string, readonly version: string, readonly node: string, readonly startedAt: number, readonly store: 'embedded' | 'postgres', readonly redis: boolean }
  /** those that are relayed now */
  readonly sinks: () => readonly Pick<Sink, 'name' | 'kind'>[]
  /** why this process should get no new requests now */
  readonly notReady: () => Promise<readonly string[]>
}

/** What this process is and how it stands. */
export function stateResources({ keys, outbox, about, sinks, notReady }: StateOptions): readonly Resource[] {
  return [
    {
      method: 'GET', path: '/overview', id: 'getOverview', summary: 'This process, its store, and how many keys there are.',
      answer: objectOf({
        service: TEXT, version: TEXT, node: TEXT, started_at: TIME, store: objectOf({ kind: { enum: ['embedded', 'postgres'] }, redis: FLAG }),
        ready: FLAG, reasons: { type: 'array', items: TEXT, description: 'Why it should get no new requests.' },
        keys: objectOf({ in_flight: COUNT, uncertain: COUNT, completed: { ...COUNT, description: 'An estimate where there are very many.' } }),
      }),
      async handle() {
        const { service, version, node, startedAt, store, redis } = about
        const [reasons, { inFlight, uncertain, completed }] = await Promise.all([notReady(), keys.census()])
        return { service, version, node, started_at: timeText(startedAt), store: { kind: store, redis }, ready: reasons.length === 0, reasons, keys: { in_flight: inFlight, uncertain, completed } }
      },
    },
    {
      method: 'GET', path: '/sinks', id: 'listSinks', summary: 'Where events go, and how many wait.',
      answer: listOf(objectOf({
        sink: TEXT, kind: { type: ['string', 'null'], description: 'Null for a sink that no configuration names any more, and that has events.' },
        lag_ms: { type: 'number', description: 'Age of the oldest event that waits.' }, dead_letters: COUNT,
      })),
      async handle() {
        const relayed = sinks()
        const counts = await outbox.census(relayed.map(({ name }) => name))
        return { items: counts.map(({ sink, lagMs, dead }) => ({ sink, kind: relayed.find(({ name }) => name === sink)?.kind ?? null, lag_ms: lagMs, dead_letters: dead })), next: null }
      },
    },
  ]
}

import type { OutboxEvent } from '../core/event.ts'
import { originIds } from '../core/event-origin.ts'
import type { Ringer } from '../core/outbox-ports.ts'
import type { Journal } from '../core/ports.ts'

export interface AnnounceDependencies {
  readonly bell: Ringer
  readonly journal: Pick<Journal, 'warn'>
}

/** They are committed: their sinks are told, each once. One with a flaw is nobody's to deliver, and somebody should know. */
export function announce(events: readonly OutboxEvent[], { bell, journal }: AnnounceDependencies): void {
  if (events.length === 0) return
  const sinks = new Set<string>()
  for (const { id, sink, type, payload, flaw } of events) {
    if (flaw === null) sinks.add(sink)
    else journal.warn('event.unbuilt', { event: id, sink, type, flaw, ...originIds(payload) })
  }
  for (const sink of sinks) bell.ring(sink)
}

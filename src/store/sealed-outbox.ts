import type { OutboxEvent } from '../core/event.ts'
import type { EventEnd, Lead, WaitingEvent } from '../core/outbox.ts'
import type { OutboxStore } from '../core/outbox-ports.ts'
import { StoreUnavailable } from '../core/ports.ts'
import type { Keyring } from './keyring.ts'

const SHUT = 'its payload does not open: its key is not among store.sealing.keys, or it was changed'

export function sealedEvents(events: readonly OutboxEvent[], keyring: Keyring): readonly OutboxEvent[] {
  return events.map((event) => sealedEvent(event, keyring))
}

export function sealedEvent(event: OutboxEvent, keyring: Keyring): OutboxEvent {
  return { ...event, payload: keyring.sealPayload(event.payload, event.id) }
}

/**
 * An outbox whose payloads are sealed. One that does not open becomes a dead letter that blocks its lane: nothing is lost (with its key
 * back, a redrive delivers it in its place), the other lanes go on, and the gauge of dead letters says that somebody is needed. That
 * takes a leader; whoever takes without having led through here is told of an outage. The payload of a dead letter that does not
 * open is shown as none.
 */
export function sealedOutbox(outbox: OutboxStore, keyring: Keyring): OutboxStore {
  const leads = new Map<string, Lead>()
  return {
    async lead(sink, holder, leaseMs) {
      const leadership = await outbox.lead(sink, holder, leaseMs)
      if (leadership.kind === 'leading') leads.set(sink, leadership.lead)
      else leads.delete(sink)
      return leadership
    },
    async resign(lead) {
      leads.delete(lead.sink)
      await outbox.resign(lead)
    },
    async take(wanted) {
      const taken = await outbox.take(wanted)
      const shut = new Map<string, EventEnd>()
      const events = taken.events.flatMap((event): WaitingEvent[] => {
        if (shut.has(event.lane)) return []
        const payload = keyring.openPayload(event.payload, event.id)
        if (payload !== null) return [{ ...event, payload }]
        shut.set(event.lane, { kind: 'dead', row: event.row, cause: SHUT, blocks: true })
        return []
      })
      if (shut.size > 0) {
        const lead = leads.get(wanted.sink)
        if (lead === undefined || await outbox.settle(lead, [...shut.values()]) === 'fenced') throw new StoreUnavailable('no', `an event cannot be delivered: ${SHUT}`)
      }
      return { ...taken, events }
    },
    async deadLetters(filter, limit, after) {
      const letters = await outbox.deadLetters(filter, limit, after)
      return letters.map((letter) => ({ ...letter, payload: keyring.openPayload(letter.payload, letter.id) ?? new Uint8Array(0) }))
    },
    settle: (lead, ends) => outbox.settle(lead, ends),
    position: (source) => outbox.position(source),
    bring: (lead, source, brought) => outbox.bring(lead, source, { ...brought, events: sealedEvents(brought.events, keyring) }),
    arrivals: (sink, windowMs, limit) => outbox.arrivals(sink, windowMs, limit),
    census: (sinks) => outbox.census(sinks),
    redrive: (filter, limit, act) => outbox.redrive(filter, limit, act),
    discard: (filter, limit, act) => outbox.discard(filter, limit, act),
    audit: (limit) => outbox.audit(limit),
  }
}

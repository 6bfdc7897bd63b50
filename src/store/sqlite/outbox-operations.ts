import type { OutboxEvent } from '../../core/event.ts'
import { fateAfter, fateAfterRedrive } from '../../core/event-fate.ts'
import { OPERATIONS_SINK } from '../../core/operations.ts'
import type { DeadLetterFilter, EventEnd, Lead, OutboxAct, SinkCensus } from '../../core/outbox.ts'
import type { Act } from '../../core/record.ts'
import { onDiscard } from '../../core/transition.ts'
import type { StoredEvent } from './event-rows.ts'
import type { OutboxAnswer, OutboxCall, WiredEvent } from './outbox-wire.ts'
import type { KeyRows } from './key-rows.ts'
import type { Answer, Bodies } from './wire.ts'

/** Lanes that are looked at for each that is wanted: no call is to hold up the claims behind it. */
const LOOKS_PER_LANE = 4

interface Step {
  readonly rows: Pick<KeyRows, 'events' | 'leases' | 'positions' | 'insertOutboxAct' | 'outboxActs' | 'find' | 'apply'>
  readonly nowMs: number
  readonly outgoing: Bodies
}

/** The outbox's part of `perform` in operations.ts. */
export function performOutbox(call: OutboxCall, step: Step, opened: (events: readonly WiredEvent[]) => readonly OutboxEvent[]): Answer {
  const { rows: { events, leases }, nowMs } = step
  switch (call[0]) {
    case 'lead': {
      const leadership = leases.lead(call[1], call[2], call[3], nowMs)
      return leadership.kind === 'leading' ? ['leading', leadership.lead.fence] : ['following', leadership.againMs]
    }
    case 'resign':
      leases.resign(leadOf(call))
      return ['written']
    case 'take': return take(call, step)
    case 'settle-events': {
      const lead = leadOf(call)
      if (!leases.stands(lead)) return ['fenced']
      for (const [place, end] of call[4].entries()) settle(lead.sink, end, call[5][place] ?? null, step)
      return ['written']
    }
    case 'position': return ['position', step.rows.positions.of(call[1])]
    case 'bring': {
      const [, , , , source, from, to, wired] = call
      const standing = step.rows.positions.of(source)
      if (!leases.stands(leadOf(call)) || (standing !== from && standing !== to)) return ['fenced']
      if (standing === to) return ['written']
      step.rows.positions.move(source, to)
      for (const event of opened(wired)) if (!events.isKnown(event.id)) events.insert(event, nowMs)
      return ['written']
    }
    case 'arrivals': return ['count', events.arrivals(call[1], nowMs - call[2], call[3])]
    case 'outbox-census': return ['sinks', census(call[1], step)]
    case 'dead-letters': return ['letters', events.dead(call[1], call[2], call[3], null).flatMap((stored) => letter(stored, step))]
    case 'redrive': {
      const whole = change('redrive', events.dead(call[1], call[2], 0, false), call[3], step)
      return ['redriven', { redriven: whole, unbuilt: unbuilt(call[1], call[2], step) }]
    }
    case 'discard': return ['count', change('discard', events.dead(call[1], call[2], 0, null), call[3], step)]
    case 'outbox-audit': return ['acts', step.rows.outboxActs(call[1])]
    default: return call satisfies never
  }
}

/** From lane to lane; the heads are looked up each time, so nothing that was committed late is passed over. */
function take([, sink, after, lanes, perLane, bytes, busy]: OutboxCall & ['take', ...unknown[]], { rows: { events }, nowMs, outgoing }: Step): Answer {
  const passed = new Set(busy)
  const taken: (OutboxAnswer & ['taken', ...unknown[]])[1] = []
  let [found, sum, last]: [number, number, string | null] = [0, 0, after]
  let dueInMs: number | null = null
  for (let looks = lanes * LOOKS_PER_LANE + busy.length; looks > 0 && found < lanes; looks -= 1) {
    const lane = events.nextLane(sink, last)
    if (lane === undefined) return ['taken', taken, nowMs, null, dueInMs]
    const behind = last
    last = lane
    if (passed.has(lane) || events.isBlocked(sink, lane)) continue
    let place = 0
    for (const { row, event, committedAt, fate } of events.waiting(sink, lane, perLane)) {
      const restsMs = Math.max(0, (fate.notBefore ?? 0) - nowMs)
      if (restsMs > 0 && place === 0) dueInMs = Math.min(dueInMs ?? Infinity, restsMs)
      if (restsMs > 0) break
      sum += event.payload.length
      if (sum > bytes && taken.length > 0) return ['taken', taken, nowMs, place === 0 ? behind : lane, dueInMs]
      const { id, type, payload } = event
      taken.push([{ row, id, lane, type, committedAt, attempts: fate.attempts, firstFailedMs: fate.firstFailedAt === null ? null : nowMs - fate.firstFailedAt }, outgoing.add(payload)])
      place += 1
    }
    if (place > 0) found += 1
  }
  return ['taken', taken, nowMs, last, dueInMs]
}

function settle(sink: string, end: EventEnd, before: number | null, { rows: { events }, nowMs }: Step): void {
  if (end.kind === 'delivered') {
    events.deliver(end.row, sink)
    return
  }
  const stored = events.find(end.row)
  if (stored === undefined || stored.event.sink !== sink || stored.fate.dead !== null) return
  events.update(stored, fateAfter(end, stored.fate, before, nowMs))
}

function census(sinks: readonly string[], { rows: { events }, nowMs }: Step): SinkCensus[] {
  const dead = events.deadBySink()
  const others = new Set([...events.sinksWaiting(), ...dead.keys()])
  for (const sink of sinks) others.delete(sink)
  return [...sinks, ...[...others].toSorted()].map((sink) => (
    { sink, lagMs: Math.max(0, nowMs - (events.oldestWaiting(sink) ?? nowMs)), dead: dead.get(sink) ?? 0 }
  ))
}

function letter({ row, event: { id, sink, lane, type, payload }, committedAt, fate }: StoredEvent, { outgoing }: Step): (OutboxAnswer & ['letters', ...unknown[]])[1] {
  if (fate.dead === null) return []
  const { at, cause, blocks, unbuilt: isUnbuilt } = fate.dead
  return [[{ row, id, sink, lane, type, committedAt, deadAt: at, attempts: fate.attempts, cause, history: fate.history, unbuilt: isUnbuilt, blocks }, outgoing.add(payload)]]
}

/** Puts these back or deletes them, and writes that down. Returns how many. */
function change(verb: OutboxAct['verb'], letters: readonly StoredEvent[], { by, reason }: Act, { rows, nowMs }: Step): number {
  for (const stored of letters) {
    const { event: { id, sink, lane, type }, fate } = stored
    rows.insertOutboxAct({ at: nowMs, verb, event: id, sink, lane, type, cause: fate.dead?.cause ?? '', by, reason })
    if (verb === 'redrive') {
      rows.events.update(stored, fateAfterRedrive(fate, nowMs))
      continue
    }
    rows.events.delete(stored)
    if (sink !== OPERATIONS_SINK) continue
    const [found] = rows.find('operationRef', id, 1)
    rows.apply(found, onDiscard(found?.record))
  }
  return letters.length
}

function unbuilt(filter: DeadLetterFilter, limit: number, { rows }: Step): number {
  return rows.events.dead(filter, limit, 0, true).length
}

function leadOf(call: readonly [kind: string, sink: string, holder: string, fence: number, ...unknown[]]): Lead {
  return { sink: call[1], holder: call[2], fence: call[3] }
}

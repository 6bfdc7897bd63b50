import { backoffMs } from '../core/backoff.ts'
import type { Delivery } from '../core/delivery.ts'
import type { EventEnd, WaitingEvent } from '../core/outbox.ts'
import type { DeliveryEnd } from '../core/outbox-ports.ts'
import type { SinkSettings } from '../core/sink-settings.ts'
import type { Dispatch, Ended } from './dispatch.ts'
import type { Lane } from './lane.ts'
import type { Settling } from './settling.ts'

export interface DeliverDependencies {
  readonly settings: Pick<SinkSettings, 'attempts' | 'baseMs' | 'capMs' | 'onDead'>
  readonly perLane: number
  readonly dispatch: Pick<Dispatch, 'send'>
  readonly settling: Pick<Settling, 'settle'>
  readonly breaker: { readonly closed: boolean }
  readonly uniform: () => number
  /** what became of it, once that is written */
  readonly settled: (event: WaitingEvent, end: EventEnd) => void
}

/**
 * One lane's events, in order: the next ones are sent when those before them have arrived, and settled while they are under way. The first
 * that does not get through ends it, since nothing may pass it; what stands behind it is taken again when its time comes.
 */
export async function deliverLane(lane: Lane, deps: DeliverDependencies): Promise<void> {
  const settles: Promise<void>[] = []
  for (let from = 0; from < lane.events.length;) {
    const handed = lane.events.slice(from, from + deps.perLane)
    const written = Promise.withResolvers<void>()
    const ended = await deps.dispatch.send(lane, handed, written.promise)
    if (ended.length === 0) break // given back: nothing is sent now
    const settled = settle(handed, ended, deps).finally(written.resolve)
    settled.catch(() => undefined) // heard below; until then nobody waits for it, and node would end the process
    settles.push(settled)
    if (ended.some(({ delivery }) => delivery.kind !== 'delivered')) break
    from += ended.length
  }
  await Promise.all(settles)
}

async function settle(handed: readonly WaitingEvent[], ended: readonly Ended[], deps: DeliverDependencies): Promise<void> {
  let ends: readonly (readonly [WaitingEvent, EventEnd])[] = []
  const judge = (): readonly EventEnd[] => {
    ends = judged(handed, ended, deps)
    return ends.map(([, end]) => end)
  }
  if (await deps.settling.settle(judge)) for (const [event, end] of ends) deps.settled(event, end)
}

/** Of what failed, only the first is written down: it holds up those behind it, which had no delivery of their own. */
function judged(handed: readonly WaitingEvent[], ended: readonly Ended[], deps: DeliverDependencies): readonly (readonly [WaitingEvent, EventEnd])[] {
  const ends: (readonly [WaitingEvent, EventEnd])[] = []
  let failed = false
  for (const [i, event] of handed.entries()) {
    const one = ended[i]
    if (one === undefined || (failed && one.delivery.kind !== 'delivered')) continue
    failed ||= one.delivery.kind !== 'delivered'
    const counts = one.blamed === 'event' || (one.blamed === 'unsure' && deps.breaker.closed)
    ends.push([event, endOf(event, one.delivery, counts, deps)])
  }
  return ends
}

/** What becomes of an event whose delivery ended like this; `counts`: against its attempts. */
export function endOf({ row, attempts }: Pick<WaitingEvent, 'row' | 'attempts'>, delivery: Delivery, counts: boolean, { settings, uniform }: Pick<DeliverDependencies, 'settings' | 'uniform'>): EventEnd {
  const blocks = settings.onDead === 'block'
  switch (delivery.kind) {
    case 'delivered': return { kind: 'delivered', row }
    case 'refused': return { kind: 'dead', row, cause: delivery.reason, blocks }
    case 'postponed': return { kind: 'retry', row, cause: delivery.cause, afterMs: Math.round(delivery.afterMs), counted: false }
    case 'disabled': return { kind: 'retry', row, cause: delivery.reason, afterMs: 0, counted: false }
    case 'retryable': {
      const { cause, notBeforeMs } = delivery
      if (counts && attempts + 1 >= settings.attempts) return { kind: 'dead', row, cause, blocks }
      const jitteredMs = backoffMs({ baseMs: settings.baseMs, capMs: settings.capMs, jitter: 'full' }, attempts, 0, uniform())
      return { kind: 'retry', row, cause, afterMs: Math.round(jitteredMs + (notBeforeMs ?? 0)), counted: counts }
    }
    default: return delivery satisfies never
  }
}

export function deliveryEnd(end: EventEnd): DeliveryEnd {
  switch (end.kind) {
    case 'delivered': return 'delivered'
    case 'retry': return end.counted ? 'retried' : 'deferred'
    case 'dead': return 'dead'
    default: return end satisfies never
  }
}

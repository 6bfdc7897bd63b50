import { statusOf, type AttemptOutcome, type UpstreamReply } from '../core/attempt.ts'
import type { OutboxEvent } from '../core/event.ts'
import type { Draft } from '../core/outbox-draft.ts'
import { completedBy, eventsOf, type CompletedReply } from '../core/outbox-events.ts'
import type { KeyStore } from '../core/ports.ts'
import type { ClaimOutcome, DoubtCause, KeyRecord, WriteOutcome } from '../core/record.ts'
import { storable, type StoredReply } from '../core/reply.ts'
import { replyOf } from '../core/retry.ts'
import type { Trace } from '../core/tracing.ts'
import type { Namespace } from './admit.ts'
import { announce, type AnnounceDependencies } from './announce.ts'
import type { Tried } from './attempts.ts'
import { insist, persist, type PersistDependencies } from './persist.ts'
import { beginStage } from './spans.ts'

export type Settled =
  | { readonly kind: 'completed', readonly live: UpstreamReply, readonly stored: StoredReply }
  | { readonly kind: 'released', readonly passedOn: UpstreamReply | null, readonly last: AttemptOutcome | undefined }
  | { readonly kind: 'abandoned', readonly passedOn: UpstreamReply | null, readonly cause: DoubtCause }
  /** somebody superseded us: what the store says now is the truth */
  | { readonly kind: 'fenced', readonly found: KeyRecord | undefined }

export interface SettleDependencies extends PersistDependencies, Pick<AnnounceDependencies, 'bell'> {
  readonly store: KeyStore
  readonly namespace: Namespace
}

type OurClaim = Extract<ClaimOutcome, { kind: 'claimed' }>

/** Writes first; only then does anybody speak (invariant I2). Repeated while the process lives, with the same events. */
export async function settle(claimed: OurClaim, tried: Tried, draft: Draft | null, trace: Trace | null, deps: SettleDependencies): Promise<Settled> {
  const { write, events, as } = settlement(claimed, tried, draft, deps)
  const span = beginStage(trace, 'settle')
  let written: WriteOutcome | 'unknown' = 'unknown'
  try {
    written = await write() // nearly always nothing to insist on, and no second promise for it
  } catch (error) {
    written = await insist(error, write, deps, trace)
  } finally {
    span?.end({ 'onceward.settle.as': tried.verdict.as, 'onceward.settle.written': written }, written === 'written' ? null : written)
  }
  if (written === 'written') {
    announce(events, deps)
    return as
  }
  const [found] = await persist(() => deps.store.find({ id: claimed.claim.id }, 1), deps)
  return { kind: 'fenced', found }
}

/** What is to be written, and what is true once it is. */
interface Settlement {
  readonly write: () => Promise<WriteOutcome>
  readonly events: readonly OutboxEvent[]
  readonly as: Settled
}

const NO_EVENTS: readonly OutboxEvent[] = []

function settlement({ claim, operationRef }: OurClaim, { outcomes, verdict }: Tried, draft: Draft | null, deps: SettleDependencies): Settlement {
  const { store } = deps
  const last = outcomes.at(-1)
  const reply = last === undefined ? null : replyOf(last)
  const attempts = outcomes.length
  switch (verdict.as) {
    case 'complete': {
      if (reply === null) throw new Error('a completion without a reply')
      const stored = toStore(reply)
      const events = draft === null ? NO_EVENTS : eventsOf(draft, madeOf(reply, stored), { service: deps.namespace.service, operationRef, timeMs: deps.clock.wallMs() })
      return { write: () => store.complete(claim, { reply: stored, attempts, events }), events, as: { kind: 'completed', live: reply, stored } }
    }
    case 'release': return { write: () => store.release(claim), events: NO_EVENTS, as: { kind: 'released', passedOn: reply, last } }
    case 'abandon': {
      const { cause } = verdict
      return { write: () => store.abandon(claim, cause, attempts), events: NO_EVENTS, as: { kind: 'abandoned', passedOn: reply, cause } }
    }
    default: return verdict satisfies never
  }
}

/** A reply that is not kept has its fields all the same, as long as it is here. */
function madeOf(reply: UpstreamReply, stored: StoredReply): CompletedReply {
  return reply.kind === 'whole' ? completedBy(stored) : { status: reply.status, fields: storable(reply.headers), body: null }
}

function toStore(reply: UpstreamReply): StoredReply {
  if (reply.kind === 'streaming') return { kind: 'not-kept', status: statusOf(reply) }
  const { status, headers, body, trailers } = reply.reply
  return { kind: 'kept', reply: { status, headers: storable(headers), body, trailers } }
}

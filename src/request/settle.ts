import { statusOf, type AttemptOutcome, type UpstreamReply } from '../core/attempt.ts'
import type { KeyStore } from '../core/ports.ts'
import type { Claim, DoubtCause, KeyRecord, WriteOutcome } from '../core/record.ts'
import { storable, type StoredReply } from '../core/reply.ts'
import { replyOf } from '../core/retry.ts'
import type { Tried } from './attempts.ts'
import { insist, persist, type PersistDependencies } from './persist.ts'

export type Settled =
  | { readonly kind: 'completed', readonly live: UpstreamReply, readonly stored: StoredReply }
  | { readonly kind: 'released', readonly passedOn: UpstreamReply | null, readonly last: AttemptOutcome | undefined }
  | { readonly kind: 'abandoned', readonly passedOn: UpstreamReply | null, readonly cause: DoubtCause }
  /** somebody superseded us: what the store says now is the truth */
  | { readonly kind: 'fenced', readonly found: KeyRecord | undefined }

export interface SettleDependencies extends PersistDependencies {
  readonly store: KeyStore
}

/** Writes first; only then does anybody speak (invariant I2). Repeated while the process lives. */
export async function settle(claimed: Claim, tried: Tried, deps: SettleDependencies): Promise<Settled> {
  const { write, as } = settlement(claimed, tried, deps.store)
  let written: WriteOutcome
  try {
    written = await write() // nearly always nothing to insist on, and no second promise for it
  } catch (error) {
    written = await insist(error, write, deps)
  }
  if (written === 'written') return as
  const [found] = await persist(() => deps.store.find({ id: claimed.id }, 1), deps)
  return { kind: 'fenced', found }
}

/** What is to be written, and what is true once it is. */
interface Settlement {
  readonly write: () => Promise<WriteOutcome>
  readonly as: Settled
}

function settlement(claimed: Claim, { outcomes, verdict }: Tried, store: KeyStore): Settlement {
  const last = outcomes.at(-1)
  const reply = last === undefined ? null : replyOf(last)
  const attempts = outcomes.length
  switch (verdict.as) {
    case 'complete': {
      if (reply === null) throw new Error('a completion without a reply')
      const stored = toStore(reply)
      return { write: () => store.complete(claimed, { reply: stored, attempts, events: [] }), as: { kind: 'completed', live: reply, stored } }
    }
    case 'release': return { write: () => store.release(claimed), as: { kind: 'released', passedOn: reply, last } }
    case 'abandon': {
      const { cause } = verdict
      return { write: () => store.abandon(claimed, cause, attempts), as: { kind: 'abandoned', passedOn: reply, cause } }
    }
    default: return verdict satisfies never
  }
}

function toStore(reply: UpstreamReply): StoredReply {
  if (reply.kind === 'streaming') return { kind: 'not-kept', status: statusOf(reply) }
  const { status, headers, body, trailers } = reply.reply
  return { kind: 'kept', reply: { status, headers: storable(headers), body, trailers } }
}

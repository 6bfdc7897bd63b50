import { statusOf, type AttemptOutcome, type UpstreamReply } from '../core/attempt.ts'
import type { KeyStore } from '../core/ports.ts'
import type { Claim, DoubtCause, KeyRecord, WriteOutcome } from '../core/record.ts'
import { storable, type StoredReply } from '../core/reply.ts'
import { replyOf } from '../core/retry.ts'
import type { Tried } from './attempts.ts'
import { persist, type PersistDependencies } from './persist.ts'

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
  const last = tried.outcomes.at(-1)
  const reply = last === undefined ? null : replyOf(last)
  const { store } = deps
  const made = tried.outcomes.length
  switch (tried.verdict.as) {
    case 'complete': {
      if (reply === null) throw new Error('a completion without a reply')
      const stored = toStore(reply)
      return ended(await persist(() => store.complete(claimed, { reply: stored, attempts: made, events: [] }), deps), { kind: 'completed', live: reply, stored })
    }
    case 'release':
      return ended(await persist(() => store.release(claimed), deps), { kind: 'released', passedOn: reply, last })
    case 'abandon': {
      const { cause } = tried.verdict
      return ended(await persist(() => store.abandon(claimed, cause, made), deps), { kind: 'abandoned', passedOn: reply, cause })
    }
    default:
      return tried.verdict satisfies never
  }

  async function ended(written: WriteOutcome, as: Settled): Promise<Settled> {
    if (written === 'written') return as
    const [found] = await persist(() => store.find({ id: claimed.id }, 1), deps)
    return { kind: 'fenced', found }
  }
}

function toStore(reply: UpstreamReply): StoredReply {
  if (reply.kind === 'streaming') return { kind: 'not-kept', status: statusOf(reply) }
  const { status, headers, body, trailers } = reply.reply
  return { kind: 'kept', reply: { status, headers: storable(headers), body, trailers } }
}

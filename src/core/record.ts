import type { StoredReply } from './reply.ts'
import type { OutboxEvent } from './event.ts'

/*
 * The key's life. Every store implements exactly this machine, and test/contract/key-store.ts is its specification
 * in executable form.
 *
 *     (none) --claim--> in_flight --complete--> completed --retention--> (none)
 *                         |  |---release--> (none)          the upstream never acted
 *                         |  '---abandon--> uncertain       it may have acted
 *                         '--lease ended, reap or next claim--> uncertain
 *     in_flight (lease ended) or uncertain --claim that takes--> in_flight     (higher fence, other holder)
 *     uncertain --late complete or release by its own holder--> completed | (none)
 *     uncertain --resolve (compare state and fence)--> completed | (none)      (higher fence, other holder)
 *     completed --evict--> completed, body not kept            by an operator; same holder, same fence
 *     completed or uncertain or in_flight (lease ended) or accepted --forget--> (none)     by an operator
 *
 * Of a request that was accepted, to be executed without its client (core/operations.ts): an event of the outbox stands for the work,
 * and whoever delivers it begins. No claim ever takes it or ends its lease; what frees another key makes it wait again.
 *
 *     (none) --accept, with its event--> accepted --begin--> in_flight --complete--> completed     (begin: higher fence, other holder)
 *                                           ^  ^--------release------'  |
 *                                           |                           '--abandon, or lease ended and reap or begin--> uncertain
 *                                           |--late release by its own holder-- uncertain
 *                                           '--resolve as not executed--------- uncertain          (higher fence, other holder)
 *     in_flight (lease ended) or uncertain --begin that takes--> in_flight                          (higher fence, other holder)
 *     accepted --its dead letter discarded--> (none)
 *     in_flight or uncertain --its dead letter discarded--> the same, as if its own client had claimed it
 *
 * Writes compare holder and fence, never the lease's time: a holder that is late but was not superseded still knows
 * the true answer. A resolve gives the row a new holder, so that a late answer can never overwrite what somebody was
 * already told.
 */

/** base64url of the 32-byte HMAC over service, identity and key; see `keyId`. */
export type KeyId = string

/** Who may write to a record: the claim's 128 random bits, and the fence, which rises with every take-over. */
export interface Claim {
  readonly id: KeyId
  readonly holder: string
  readonly fence: number
}

/**
 * Digests of the parts of a request, 66 bits each, so that a mismatch can name the part that differed: those of method,
 * target, headers and body in this order, joined by dots. Stores keep it as it is; see `differing` in fingerprint.ts. Where
 * nobody verified who asked, the digest of the credential stands behind; see `witnessOf` in witness.ts.
 */
export type Parts = string

/** `sent-unprotected`: the claim's result was unknown, and its route sends in an outage of the store (core/policy.ts). */
export type DoubtCause = 'lease-expired' | 'connection-lost' | 'reply-incomplete' | 'ambiguous-status' | 'deadline' | 'shutdown' | 'sent-unprotected'

export type KeyState =
  /** it waits to be executed; nothing was sent, or it is known that what was sent was not executed */
  | { readonly state: 'accepted' }
  | { readonly state: 'in_flight', readonly leaseUntil: number }
  | { readonly state: 'completed', readonly completedAt: number, readonly reply: StoredReply }
  | { readonly state: 'uncertain', readonly since: number, readonly cause: DoubtCause }

/** One key's record. Times are milliseconds since the epoch by the store's clock. */
export type KeyRecord = KeyState & {
  readonly id: KeyId
  /** base64url of 16 bytes: HMAC of the key alone, so that an operator finds a record by the client's key */
  readonly keyDigest: string
  /** random and unique; the name under which clients and operators speak of this operation */
  readonly operationRef: string
  readonly fingerprint: string
  /** the canonical text of the fingerprint's specification, so that an old record is compared under its own */
  readonly spec: string
  readonly parts: Parts
  readonly holder: string
  readonly fence: number
  readonly route: string
  readonly createdAt: number
  readonly retainUntil: number
  /** attempts that were made, written by settle only */
  readonly attempts: number
  /** how to ask the upstream whether it ran, as the claim had it (core/probe.ts); null for nobody can, and once it is completed */
  readonly probe: string | null
  /** what the request gives to the events of its completion, as the claim had it (core/outbox-draft.ts); null for none, and once it is completed */
  readonly outbox: string | null
  /** null: its own client claimed it */
  readonly accepted: Accepted | null
}

export interface Accepted {
  readonly at: number
  /** whose it is; see `ownerDigest` in key.ts */
  readonly owner: string
}

/** A doubt that somebody may ask the upstream about. */
export interface Doubt {
  readonly id: KeyId
  readonly fence: number
  readonly route: string
  readonly operationRef: string
  readonly cause: DoubtCause
  readonly probe: string
  readonly outbox: string | null
  /** how long it had been in doubt when the store was asked, by the store's clock: ours may differ from the one that wrote `since` */
  readonly ageMs: number
}

/** For how long a doubt that was given out is given to nobody else: a quarter of its age, within these bounds. */
export interface Rest {
  readonly shortestMs: number
  readonly longestMs: number
}

/** What a claim does with a record whose holder is gone: leave it in doubt, or send again under the same key. */
export type OnOrphan = { readonly kind: 'hold' } | { readonly kind: 'take', readonly withinMs: number }

export interface ClaimRequest {
  readonly id: KeyId
  readonly keyDigest: string
  readonly operationRef: string
  readonly fingerprint: string
  readonly spec: string
  readonly parts: Parts
  readonly holder: string
  readonly route: string
  readonly leaseMs: number
  readonly retentionMs: number
  readonly onOrphan: OnOrphan
  /** stored as it is, and given back with the doubt; it may hold personal data, and no secret */
  readonly probe: string | null
  /** likewise, and for whoever completes the key */
  readonly outbox: string | null
}

export type ClaimOutcome =
  /** `recovering`: an earlier attempt of this key may have had an effect, so release is no longer legal */
  | { readonly kind: 'claimed', readonly claim: Claim, readonly recovering: boolean, readonly operationRef: string, readonly retainUntil: number }
  | { readonly kind: 'replay', readonly reply: StoredReply, readonly fence: number, readonly fingerprint: string, readonly spec: string, readonly parts: Parts, readonly operationRef: string, readonly retainUntil: number }
  | { readonly kind: 'busy', readonly retryAfterMs: number, readonly operationRef: string }
  /** it was accepted and is not completed, in whatever state it is: nobody but its relay executes it */
  | { readonly kind: 'accepted', readonly operationRef: string }
  /** judged before everything else; the record's own spec and parts tell how to compare and what differed */
  | { readonly kind: 'mismatch', readonly spec: string, readonly parts: Parts, readonly operationRef: string }
  | { readonly kind: 'uncertain', readonly since: number, readonly cause: DoubtCause, readonly operationRef: string, readonly fence: number, readonly probe: string | null, readonly outbox: string | null, /** see Doubt */ readonly ageMs: number }

/** What waits for its execution, beside its record: `event` has the operation's name as its id, and a lane of `owner` (core/operations.ts). */
export interface AcceptedWork {
  readonly event: OutboxEvent
  readonly owner: string
  /** most events that may wait in lanes of this owner; dead letters are not among them */
  readonly quota: number
}

export type AcceptOutcome =
  | Exclude<ClaimOutcome, { kind: 'claimed' | 'accepted' }>
  /** `fresh`: by this very request; else by an earlier one, whose operation this is */
  | { readonly kind: 'accepted', readonly operationRef: string, readonly fresh: boolean }
  /** nothing was stored */
  | { readonly kind: 'over-quota' }

/** The execution of an operation that was accepted. */
export interface BeginRequest {
  readonly id: KeyId
  readonly operationRef: string
  readonly holder: string
  readonly leaseMs: number
  /** `withinMs` counts from the first begin: before it nothing can have been sent */
  readonly onOrphan: OnOrphan
}

export type Begun =
  /** `recovering` as of a claim; `outbox` as it was accepted */
  | { readonly kind: 'claimed', readonly claim: Claim, readonly recovering: boolean, readonly retainUntil: number, readonly outbox: string | null }
  | { readonly kind: 'completed' }
  | { readonly kind: 'busy', readonly retryAfterMs: number }
  /** under its policy it may not be sent again */
  | { readonly kind: 'uncertain', readonly since: number, readonly cause: DoubtCause, readonly fence: number, readonly probe: string | null, readonly outbox: string | null, /** see Doubt */ readonly ageMs: number }
  /** no such record, or its key is another operation's */
  | { readonly kind: 'gone' }

/** 'fenced': the row is no longer ours, and nothing was changed; read again and answer what is stored. */
export type WriteOutcome = 'written' | 'fenced'

/** How a claim ends, apart from a release. `attempts` counts all that were made under this claim. */
export interface Completion {
  readonly reply: StoredReply
  readonly attempts: number
  readonly events: readonly OutboxEvent[]
}

export type Resolution =
  | { readonly as: 'completed', readonly reply: StoredReply, readonly events: readonly OutboxEvent[] }
  /**
   * Of this operation, or null for whichever stands there. A freed key begins again at fence 1, so the fence alone does not tell the doubt
   * that was looked into from one of the key's next life. What was accepted waits again.
   */
  | { readonly as: 'not-executed', readonly operationRef: string | null }

/** Who changed a record from outside, and why: written to the audit trail in the transaction of the change. */
export interface Act {
  readonly by: string
  readonly reason: string
}

/** One line of the audit trail. */
export interface AuditEntry extends Act {
  /** milliseconds since the epoch, by the store's clock */
  readonly at: number
  readonly verb: 'evict' | 'forget' | 'resolve'
  readonly id: KeyId
  readonly operationRef: string
  /** the record's state before */
  readonly before: KeyState['state']
}

/** `refused`: only a completed reply can be evicted, and a key whose lease runs cannot be forgotten. */
export type Eviction = 'evicted' | 'refused' | 'absent'
export type Forgetting = 'forgotten' | 'refused' | 'absent'

/** What one step of upkeep did. */
export interface Reaped { readonly orphaned: number }
export interface Swept { readonly deleted: number }

/** How many records wait for what; the gauges' source. Those that are accepted and wait are in none of them: the outbox counts their events. */
export interface Census {
  readonly inFlight: number
  readonly uncertain: number
  readonly completed: number
}

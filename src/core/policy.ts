import type { StatusPolicy } from './attempt.ts'
import type { DeadlineHeader } from './deadline.ts'
import type { FingerprintSpec } from './fingerprint-spec.ts'
import type { KeyHeader, KeySource } from './key-source.ts'
import type { OutboxPolicy } from './outbox-policy.ts'
import type { ProbePolicy } from './probe.ts'
import type { RetryPolicy } from './retry.ts'
import type { ScopePolicy } from './scope.ts'
import type { SignaturePolicy } from './webhook-signature.ts'

/** What a route does with requests that carry a key. Times in milliseconds. */
export interface Policy {
  readonly key: 'required' | 'optional'
  /** where the key is if there is no Idempotency-Key; in the body only where a key is required, since what passes is not read */
  readonly keyFrom: KeySource
  readonly keyHeader: KeyHeader
  /** what proves the sender, before anything is claimed; null where nothing has to */
  readonly signature: SignaturePolicy | null
  readonly scope: ScopePolicy
  readonly fingerprint: FingerprintSpec
  /** how long a completed record answers, counted from the claim; a client may ask for another within the bounds */
  readonly retention: { readonly defaultMs: number, readonly minMs: number, readonly maxMs: number }
  readonly leaseMs: number
  readonly inFlight: { readonly kind: 'reject' } | { readonly kind: 'wait', readonly waitMs: number }
  readonly whenUnsure: WhenUnsure
  /** what becomes of a request whose claim the store cannot take: refused, or sent once without any protection */
  readonly storeOutage: 'closed' | 'open'
  /** how long the store may take over a claim before it counts as gone */
  readonly claimWithinMs: number
  readonly status: StatusPolicy
  /** 409 for clients that must not take a 504 for an invitation to retry with a new key */
  readonly unknownStatus: 504 | 409
  readonly closeDelimited: 'keep' | 'stream'
  readonly retry: RetryPolicy
  /** how long the client waits */
  readonly deadlineMs: number
  /** where a client may say that it waits less long */
  readonly deadlineFrom: DeadlineHeader | null
  /** where the upstream is told how long anybody waits */
  readonly deadlineTo: DeadlineHeader | null
  /** how long an attempt that cannot be repeated may go on after the client was told to come back */
  readonly lingerMs: number
  /** whether requests are accepted and executed afterwards: none, those that ask for it, or all with a key (operations.ts) */
  readonly accepts: 'off' | 'allowed' | 'always'
  /** the events of a completion; mostly none */
  readonly outbox: readonly OutboxPolicy[]
}

export type WhenUnsure =
  /** the key stays in doubt until somebody resolves it */
  | { readonly kind: 'hold' }
  /** the upstream honours the forwarded key: send again, at most `withinMs` after the first dispatch */
  | { readonly kind: 'resend', readonly withinMs: number }
  /** the upstream is asked whether it ran */
  | { readonly kind: 'probe', readonly probe: ProbePolicy }

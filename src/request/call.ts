import type { UpstreamReply } from '../core/attempt.ts'
import type { Hop } from '../core/forwarding.ts'
import type { Fields } from '../core/headers.ts'
import type { Problem } from '../core/problem.ts'
import type { Reply } from '../core/reply.ts'
import type { GaveUp } from '../core/retry.ts'
import type { Trace } from '../core/tracing.ts'

/** A request as a listener hands it over; HTTP and gRPC look the same from here. */
export interface Call {
  readonly method: string
  /** path and query, byte for byte */
  readonly target: string
  readonly fields: Fields
  /** where it came from, and how we sign for it when it goes on */
  readonly hop: Hop
  /** null: it belongs to none that anybody knows */
  readonly trace: Trace | null
  /** Reads the body to its end, at most `maxBytes` of it. */
  body(maxBytes: number): Promise<BodyReading>
  /** Gives back the room that the body took; called by whoever does not send it upstream. */
  forgetBody(): void
  /** Passes on an interim reply of the upstream (1xx), if the client can still get one. */
  inform(status: number, fields: Fields): void
  /** true once nobody waits for the answer any more */
  gone(): boolean
}

export type BodyReading =
  | { readonly kind: 'body', readonly body: Uint8Array }
  | { readonly kind: 'too-large' }
  /** no room for more bodies in this process */
  | { readonly kind: 'no-room' }
  /** the body was not complete within the time that one may take */
  | { readonly kind: 'too-slow' }
  /** the client left before its body was complete */
  | { readonly kind: 'broken-off' }

/** What the listener writes. */
export type Answer =
  /** the upstream's own reply, for the first time */
  | { readonly kind: 'fresh', readonly reply: UpstreamReply, readonly ttlMs: number | null, /** why it was not tried again, if it failed */ readonly gaveUp: GaveUp | null }
  /** a stored reply; `ttlMs` is what is left of its retention */
  | { readonly kind: 'replay', readonly reply: Reply, readonly ttlMs: number }
  /** what the upstream said to a request that was sent although the key store was gone: nothing of it is stored */
  | { readonly kind: 'unprotected', readonly reply: UpstreamReply }
  /** 202: it is stored and will be executed; `applied` are the preferences that were heard (RFC 7240) */
  | { readonly kind: 'accepted', readonly operationRef: string, readonly applied: readonly string[], readonly retryAfterMs: number }
  | { readonly kind: 'problem', readonly problem: Problem }
  /** the client is gone and nothing was begun */
  | { readonly kind: 'none' }

import type { Fields } from './headers.ts'
import { GAVE_UP, type GaveUp } from './retry.ts'

/*
 * Every reply that Onceward writes itself, in one table: HTTP and gRPC speak from the same line. `mayHaveRun` says
 * whether the operation of this key may have been executed, `safeToRetry` whether the same request with the same
 * key is worth sending again. None of these replies is ever stored.
 */

export interface ProblemKind {
  readonly status: number
  /** gRPC status code by number (ABORTED 10, INVALID_ARGUMENT 3, ...); HTTP statuses mean nothing to its clients */
  readonly grpc: number
  readonly title: string
  readonly mayHaveRun: boolean
  readonly safeToRetry: boolean
  /** RFC 9209 section 2.3 error type, so that our 503 is not taken for the upstream's */
  readonly proxyError: string
}

export const PROBLEMS = {
  'key-missing': { status: 400, grpc: 3, title: 'Idempotency-Key is missing', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'key-invalid': { status: 400, grpc: 3, title: 'Idempotency-Key is not valid', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'request-invalid': { status: 400, grpc: 3, title: 'The request is not valid', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'not-found': { status: 404, grpc: 12, title: 'There is nothing here', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'method-not-allowed': { status: 405, grpc: 12, title: 'The method of the request means nothing here', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'target-too-long': { status: 414, grpc: 8, title: 'The path and query of the request are too long', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'not-supported': { status: 501, grpc: 12, title: 'The request needs something that is not done here', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'expectation-failed': { status: 417, grpc: 3, title: 'The request expects what nobody here can meet', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'headers-too-large': { status: 431, grpc: 8, title: 'The header section of the request is too large', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'request-timeout': { status: 408, grpc: 4, title: 'The request did not arrive in time', mayHaveRun: false, safeToRetry: true, proxyError: 'http_request_error' },
  'loop-detected': { status: 502, grpc: 14, title: 'The request has been here before: the upstream leads back to Onceward', mayHaveRun: false, safeToRetry: false, proxyError: 'proxy_loop_detected' },
  'identity-missing': { status: 400, grpc: 16, title: 'The request names no identity to keep its key under', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'identity-invalid': { status: 401, grpc: 16, title: 'The token that says who asks is not valid', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_denied' },
  'identity-unavailable': { status: 503, grpc: 14, title: 'Who asks cannot be verified at the moment, so nothing was sent upstream', mayHaveRun: false, safeToRetry: true, proxyError: 'proxy_internal_error' },
  'signature-invalid': { status: 401, grpc: 16, title: 'The signature that proves the sender is missing or not valid', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_denied' },
  'key-reused': { status: 422, grpc: 3, title: 'Idempotency-Key is already used for another request', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'in-flight': { status: 409, grpc: 10, title: 'A request with this Idempotency-Key is being worked on', mayHaveRun: true, safeToRetry: true, proxyError: 'proxy_internal_response' },
  'operation-unfinished': { status: 409, grpc: 9, title: 'The operation has not completed, so there is no reply yet', mayHaveRun: true, safeToRetry: true, proxyError: 'proxy_internal_response' },
  'reply-not-kept': { status: 409, grpc: 9, title: 'The operation completed, but its reply was too large or too streaming to keep', mayHaveRun: true, safeToRetry: false, proxyError: 'proxy_internal_response' },
  'reply-withheld': { status: 409, grpc: 9, title: 'The operation completed, but its reply is only for the credential that asked first', mayHaveRun: true, safeToRetry: false, proxyError: 'proxy_internal_response' },
  'reply-damaged': { status: 500, grpc: 15, title: 'The operation completed, but its stored reply is damaged', mayHaveRun: true, safeToRetry: false, proxyError: 'proxy_internal_error' },
  'body-too-large': { status: 413, grpc: 8, title: 'The request body is larger than a guarded request may be', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'quota-exceeded': { status: 429, grpc: 8, title: 'More accepted requests of this identity wait than may', mayHaveRun: false, safeToRetry: true, proxyError: 'http_request_denied' },
  'upstream-unreachable': { status: 502, grpc: 14, title: 'The upstream could not be reached and did not get the request', mayHaveRun: false, safeToRetry: true, proxyError: 'destination_unavailable' },
  'upstream-timeout': { status: 504, grpc: 4, title: 'The upstream did not answer in time', mayHaveRun: true, safeToRetry: false, proxyError: 'http_response_timeout' },
  'upstream-failed': { status: 502, grpc: 14, title: 'The connection to the upstream broke before its answer was complete', mayHaveRun: true, safeToRetry: false, proxyError: 'connection_terminated' },
  'upstream-resting': { status: 503, grpc: 14, title: 'The upstream fails and is left alone for a while', mayHaveRun: false, safeToRetry: true, proxyError: 'destination_unavailable' },
  'store-unavailable': { status: 503, grpc: 14, title: 'The key store does not answer, so nothing was sent upstream', mayHaveRun: false, safeToRetry: true, proxyError: 'proxy_internal_error' },
  'record-too-new': { status: 503, grpc: 14, title: 'The record of this key was written by a newer version of Onceward', mayHaveRun: true, safeToRetry: true, proxyError: 'proxy_internal_error' },
  'overloaded': { status: 503, grpc: 14, title: 'This process has more to do than it can, so nothing was sent upstream', mayHaveRun: false, safeToRetry: true, proxyError: 'proxy_internal_error' },
  'draining': { status: 503, grpc: 14, title: 'This process is stopping and opens no new connection to the upstream', mayHaveRun: false, safeToRetry: true, proxyError: 'proxy_internal_error' },
  'outcome-not-recorded': { status: 503, grpc: 14, title: 'The request was sent or accepted, but that could not be recorded in time', mayHaveRun: true, safeToRetry: true, proxyError: 'proxy_internal_error' },
  'still-running': { status: 504, grpc: 4, title: 'The upstream is still working on this request', mayHaveRun: true, safeToRetry: true, proxyError: 'http_response_timeout' },
  'outcome-unknown': { status: 504, grpc: 9, title: 'Nobody knows whether this operation was executed', mayHaveRun: true, safeToRetry: false, proxyError: 'http_response_incomplete' },
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof PROBLEMS

export interface Problem {
  readonly code: ProblemCode
  /** differs from the table where a route says so (`unknown_status`) and where HTTP has a status of its own */
  readonly status: number
  /** the RFC 9209 error type, where the cause is known more closely than the table has it */
  readonly proxyError: string
  /** one sentence for a person; names no key, credential, body or address */
  readonly detail: string
  readonly operationRef: string | null
  readonly retryAfterMs: number | null
  /** which parts of the request differed from the first one's, for a mismatch */
  readonly differs: readonly string[]
  /** why it was not tried again */
  readonly gaveUp: GaveUp | null
}

export function problem(code: ProblemCode, detail: string, more: Partial<Omit<Problem, 'code' | 'detail'>> = {}): Problem {
  return { code, status: PROBLEMS[code].status, proxyError: PROBLEMS[code].proxyError, detail, operationRef: null, retryAfterMs: null, differs: [], gaveUp: null, ...more }
}

/** Who speaks when we reply ourselves. */
export interface Voice {
  /** the deployment's name in Proxy-Status, a structured-field token */
  readonly proxy: string
  /** CORS fields for this request on its route; see `corsFields` */
  readonly cors: Fields
}

/**
 * RFC 9209 asks for the name of the deployment, not of the product: two Oncewards in one chain are told apart by
 * the services that they keep keys for. `next-hop` is never said, because it would tell an address inside.
 */
export function proxyName(service: string): string {
  return service === 'default' ? 'onceward' : `onceward/${service}`
}

/** RFC 6750 section 3. */
const TOKEN = 'Bearer error="invalid_token"'
/** No scheme of webhooks is registered; a client that knows none of this name tries nothing. */
const SIGNATURE = 'Webhook-Signature'

/** Body and fields of a problem as they leave, the framing included. */
export function problemMessage(of: Problem, voice: Voice): { readonly fields: string[], readonly body: Buffer } {
  const body = Buffer.from(problemBody(of))
  const fields = [
    'Content-Type', 'application/problem+json',
    'Content-Language', 'en',
    'Cache-Control', 'no-store',
    'Content-Length', String(body.length),
    'Proxy-Status', `${voice.proxy}; error=${of.proxyError}; details="${of.code}${of.gaveUp === null ? '' : `; ${GAVE_UP[of.gaveUp]}`}"`,
    ...voice.cors,
  ]
  if (of.retryAfterMs !== null) fields.push('Retry-After', String(Math.max(1, Math.ceil(of.retryAfterMs / 1000))))
  if (of.code === 'method-not-allowed') fields.push('Allow', 'GET, HEAD') // the one resource of ours that asks
  if (of.status === 401) fields.push('WWW-Authenticate', of.code === 'signature-invalid' ? SIGNATURE : TOKEN) // RFC 9110 demands a challenge
  return { fields, body }
}

/** The RFC 9457 body; its members are documented in docs/errors.md. */
export function problemBody(of: Problem): string {
  const kind = PROBLEMS[of.code]
  return JSON.stringify({
    type: `urn:onceward:problem:${of.code}`,
    title: kind.title,
    status: of.status,
    detail: of.detail,
    may_have_run: kind.mayHaveRun,
    safe_to_retry: kind.safeToRetry,
    ...(of.operationRef === null ? {} : { operation_ref: of.operationRef }),
    ...(of.differs.length === 0 ? {} : { differs: of.differs }),
  })
}

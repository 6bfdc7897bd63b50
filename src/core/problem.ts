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
  'target-too-long': { status: 414, grpc: 8, title: 'The path and query of the request are too long', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'headers-too-large': { status: 431, grpc: 8, title: 'The header section of the request is too large', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'request-timeout': { status: 408, grpc: 4, title: 'The request did not arrive in time', mayHaveRun: false, safeToRetry: true, proxyError: 'http_request_error' },
  'identity-missing': { status: 400, grpc: 16, title: 'The request names no identity to keep its key under', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'key-reused': { status: 422, grpc: 3, title: 'Idempotency-Key is already used for another request', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'in-flight': { status: 409, grpc: 10, title: 'A request with this Idempotency-Key is being worked on', mayHaveRun: true, safeToRetry: true, proxyError: 'proxy_internal_response' },
  'reply-not-kept': { status: 409, grpc: 9, title: 'The operation completed, but its reply was too large or too streaming to keep', mayHaveRun: true, safeToRetry: false, proxyError: 'proxy_internal_response' },
  'body-too-large': { status: 413, grpc: 8, title: 'The request body is larger than a guarded request may be', mayHaveRun: false, safeToRetry: false, proxyError: 'http_request_error' },
  'upstream-unreachable': { status: 502, grpc: 14, title: 'The upstream could not be reached and did not get the request', mayHaveRun: false, safeToRetry: true, proxyError: 'destination_unavailable' },
  'upstream-timeout': { status: 504, grpc: 4, title: 'The upstream did not answer in time', mayHaveRun: true, safeToRetry: false, proxyError: 'http_response_timeout' },
  'upstream-failed': { status: 502, grpc: 14, title: 'The connection to the upstream broke before its answer was complete', mayHaveRun: true, safeToRetry: false, proxyError: 'connection_terminated' },
  'store-unavailable': { status: 503, grpc: 14, title: 'The key store does not answer, so nothing was sent upstream', mayHaveRun: false, safeToRetry: true, proxyError: 'proxy_internal_error' },
  'overloaded': { status: 503, grpc: 14, title: 'This process has more to do than it can, so nothing was sent upstream', mayHaveRun: false, safeToRetry: true, proxyError: 'proxy_internal_error' },
  'outcome-not-recorded': { status: 503, grpc: 14, title: 'The request was sent, but its outcome could not be recorded yet', mayHaveRun: true, safeToRetry: true, proxyError: 'proxy_internal_error' },
  'still-running': { status: 504, grpc: 4, title: 'The upstream is still working on this request', mayHaveRun: true, safeToRetry: true, proxyError: 'http_response_timeout' },
  'outcome-unknown': { status: 504, grpc: 9, title: 'Nobody knows whether this operation was executed', mayHaveRun: true, safeToRetry: false, proxyError: 'http_response_incomplete' },
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof PROBLEMS

export interface Problem {
  readonly code: ProblemCode
  /** differs from the table only where a route says so (`unknown_status`) */
  readonly status: number
  /** one sentence for a person; names no key, credential, body or address */
  readonly detail: string
  readonly operationRef: string | null
  readonly retryAfterMs: number | null
  /** which parts of the request differed from the first one's, for a mismatch */
  readonly differs: readonly string[]
}

export function problem(code: ProblemCode, detail: string, more: Partial<Omit<Problem, 'code' | 'detail'>> = {}): Problem {
  return { code, status: PROBLEMS[code].status, detail, operationRef: null, retryAfterMs: null, differs: [], ...more }
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

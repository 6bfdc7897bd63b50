import { isIPv6 } from 'node:net'

/*
 * Why a request to a broker failed. `unreachable`: not a byte of it left. `silent`: it may have arrived, and no answer came.
 * `answered`: the broker says no, in the protocol's own word for it.
 */
export class KafkaFailure extends Error {
  readonly kind: 'unreachable' | 'silent' | 'answered'
  /** the protocol's name of an error, or why there was no answer; no secret, nothing of a record */
  readonly code: string
  /** of an `answered` one: what came with it */
  readonly response: unknown

  constructor(kind: KafkaFailure['kind'], code: string, response?: unknown) {
    super(kind === 'answered' ? `the broker answered ${code}` : kind === 'silent' ? `no answer from the broker (${code})` : `no connection to a broker (${code})`)
    this.name = 'KafkaFailure'
    this.kind = kind
    this.code = code
    this.response = response
  }

  /** One that may have done what was asked of it. */
  get unknown(): boolean {
    return this.kind === 'silent' || (this.kind === 'answered' && MAY_HAVE_WRITTEN.has(this.code))
  }
}

/** Answers after which a batch may stand in the log all the same. */
const MAY_HAVE_WRITTEN: ReadonlySet<string> = new Set(['REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'UNKNOWN_SERVER_ERROR', 'KAFKA_STORAGE_ERROR'])

/** The coordinator says: not now, or not here. Asking again is what the protocol wants. */
export const AGAIN: ReadonlySet<string> = new Set(['CONCURRENT_TRANSACTIONS', 'COORDINATOR_LOAD_IN_PROGRESS', 'COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR', 'UNSTABLE_OFFSET_COMMIT'])

/** Somebody else holds the transactional id now, or the coordinator ended the transaction because it took too long. */
export const FENCED: ReadonlySet<string> = new Set(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH'])

/** What the library rejected with, once the request was handed to a connection. */
export function failedRequest(error: unknown): KafkaFailure {
  for (const cause of chain(error)) {
    if ('apiId' in cause && typeof cause.apiId === 'string') return new KafkaFailure('answered', cause.apiId, error instanceof Error && 'response' in error ? error.response : undefined)
  }
  return new KafkaFailure('silent', wordOf(error))
}

/** What the library rejected with while it made a connection. */
export function failedConnection(error: unknown): KafkaFailure {
  const causes = [...chain(error)]
  const refused = causes.find((cause) => 'code' in cause && cause.code === 'PLT_KFK_AUTHENTICATION')
  return new KafkaFailure('unreachable', refused === undefined ? wordOf(error) : 'the credentials were refused')
}

/** The system's word (ECONNREFUSED) before the library's. */
function wordOf(error: unknown): string {
  const codes = [...chain(error)].map((cause) => ('code' in cause && typeof cause.code === 'string' ? cause.code : ''))
  return codes.find((code) => code !== '' && !code.startsWith('PLT_')) ?? (codes.includes('PLT_KFK_NETWORK') ? 'connection lost' : 'failed')
}

function* chain(error: unknown): Generator<Error> {
  if (!(error instanceof Error)) return
  yield error
  if (error instanceof AggregateError) for (const one of error.errors) yield* chain(one)
  if (error.cause !== undefined) yield* chain(error.cause)
}

export function hostPort({ host, port }: { readonly host: string, readonly port: number }): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

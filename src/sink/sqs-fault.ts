import type { Delivery } from '../core/delivery.ts'

/** An event that SQS will never take. */
const NEVER: ReadonlySet<string> = new Set(['InvalidMessageContents', 'BatchRequestTooLong', 'MessageTooLong'])

/** What is wrong with the queue, the key, the clock or the pace: true of every event alike. AWS answers 400 to many of these. */
const OF_THE_QUEUE: ReadonlySet<string> = new Set([
  'AccessDenied', 'AccessDeniedException', 'AuthFailure', 'ExpiredToken', 'ExpiredTokenException', 'IncompleteSignature', 'InvalidAccessKeyId', 'InvalidAddress',
  'InvalidClientTokenId', 'InvalidSecurity', 'InvalidSignatureException', 'MissingAuthenticationToken', 'NonExistentQueue', 'NotAuthorized', 'OptInRequired', 'OverLimit',
  'QueueDeletedRecently', 'QueueDoesNotExist', 'RequestExpired', 'RequestThrottled', 'RequestTimeTooSkewed', 'SignatureDoesNotMatch', 'Throttling', 'ThrottlingException',
  'TooManyRequestsException', 'UnrecognizedClientException', 'UnsupportedOperation',
])

/** How SQS names the same in its older protocol: `AWS.SimpleQueueService.NonExistentQueue`, `KMS.ThrottlingException`. */
function bareName(code: string): string {
  return code.replace(/^(?:AWS\.SimpleQueueService\.|com\.amazonaws\.sqs#)/, '')
}

/** One entry of `Failed[]`. Its message may have anything in it and is not shown. */
export function judgeEntry(code: string, senderFault: boolean): Delivery {
  const name = bareName(code)
  const shown = shownAs(name)
  if (senderFault && NEVER.has(name)) return { kind: 'refused', reason: `SQS does not take it (${shown})` }
  const blame = senderFault && !isOfTheQueue(name) ? 'event' : 'sink'
  return { kind: 'retryable', cause: `SQS did not take it (${shown})`, blame, notBeforeMs: null }
}

export interface CallFault {
  readonly delivery: Delivery
  /** what SQS said concerns one of the events, and nobody knows which */
  readonly ofOneEvent: boolean
}

/** A call that failed as a whole: by an answer of SQS, or without one. */
export function judgeCall(error: unknown): CallFault {
  const name = error instanceof Error ? bareName(error.name) : 'unknown'
  const status = statusOf(error)
  if (status === null) return { delivery: { kind: 'retryable', cause: `no answer of SQS (${shownAs(codeOf(error) ?? name)})`, blame: 'sink', notBeforeMs: null }, ofOneEvent: false }
  const senderFault = status >= 400 && status < 500 && ![401, 403, 404, 429].includes(status)
  const delivery = judgeEntry(name, senderFault)
  return { delivery, ofOneEvent: delivery.kind === 'refused' || (delivery.kind === 'retryable' && delivery.blame === 'event') }
}

function isOfTheQueue(name: string): boolean {
  return OF_THE_QUEUE.has(name) || /^kms/i.test(name)
}

/** The HTTP status of an answer of SQS; null where there was none, or one that the SDK could not read. */
function statusOf(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('$metadata' in error) || !('$fault' in error)) return null
  const metadata = error.$metadata
  const status = typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata ? metadata.httpStatusCode : undefined
  return typeof status === 'number' ? status : null
}

function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Names and codes are single words; whatever else stands there is not for the log. */
function shownAs(name: string): string {
  return /^[\w.]{1,80}$/.test(name) ? name : 'unknown'
}

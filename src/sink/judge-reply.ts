import type { Delivery } from '../core/delivery.ts'
import type { Fields } from '../core/headers.ts'
import { retryAfterMs } from '../core/retry-after.ts'

export const DELIVERED: Delivery = { kind: 'delivered' }

/** Who asks to be left alone for longer is asked again after an hour: a wrong number must not stop a sink for a day. */
const LONGEST_WAIT_MS = 3_600_000

/**
 * What the receiver's status says about a delivery (Standard Webhooks 1.0, CloudEvents' HTTP 1.1 Web Hooks). Redirects are
 * failures: they would lead away from the address that the configuration names.
 */
export function judgeReply(status: number, fields: Fields, wallMs: number): Delivery {
  if (status >= 200 && status < 300) return DELIVERED
  const redirect = status >= 300 && status < 400
  const cause = `the receiver answered ${status}${redirect ? ', and redirects are not followed' : ''}`
  if (status === 410) return { kind: 'disabled', reason: cause }
  const wait = retryAfterMs(fields, wallMs)
  return { kind: 'retryable', cause, blame: blameFor(status), notBeforeMs: wait === null ? null : Math.min(wait, LONGEST_WAIT_MS) }
}

function blameFor(status: number): 'sink' | 'event' | 'unknown' {
  if (status === 429 || status === 503) return 'sink'
  if (status === 408 || status === 425) return 'unknown'
  return status >= 300 && status < 500 ? 'event' : 'unknown'
}

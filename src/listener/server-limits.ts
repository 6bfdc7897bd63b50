import type { ServerOptions } from 'node:http'
import type { Fields } from '../core/headers.ts'
import type { LimitName } from '../core/ports.ts'
import { problem, type Problem } from '../core/problem.ts'

/** What the listener allows; docs/limits.md says what happens past each of them. */
export interface ListenerLimits {
  readonly headerBytes: number
  readonly headerCount: number
  readonly targetBytes: number
  readonly headerTimeMs: number
  readonly bodyTimeMs: number
  readonly idleTimeMs: number
  readonly connections: number
  readonly eventLoopDelayMs: number
  readonly heldBodiesBytes: number
}

/** A limit that was reached, and what is said to whoever reached it. */
export interface Excess {
  readonly limit: LimitName
  readonly problem: Problem
}

/** `: ` and the line's end, which a field takes on the wire beside its name and value. */
const FIELD_SYNTAX_BYTES = 4

/** A head that is late is noticed by the parser's check, which comes this many times per `header_time`. */
const CHECKS_PER_HEADER_TIME = 4

/**
 * node's parser is the guard behind ours: it stops reading at the sum of both sizes, of which it cannot say which one
 * was exceeded. Its limit on the number of fields is off, because it drops what is above it without a word: two
 * servers would then see different requests (RFC 9110 section 5.4 warns of it). Its limit on the time of a whole
 * request is off, because a large upload is legal; see `idle_time`.
 */
export function serverOptions(limits: ListenerLimits): ServerOptions {
  return {
    noDelay: true,
    maxHeaderSize: limits.headerBytes + limits.targetBytes,
    headersTimeout: limits.headerTimeMs,
    connectionsCheckingInterval: Math.ceil(limits.headerTimeMs / CHECKS_PER_HEADER_TIME),
    requestTimeout: 0,
    keepAliveTimeout: limits.idleTimeMs,
  }
}

/** Judges a head that was read whole; `target` and `fields` as they crossed the wire. */
export function oversize(target: string, fields: Fields, limits: ListenerLimits): Excess | null {
  if (target.length > limits.targetBytes) return targetTooLong(limits)
  const count = fields.length / 2
  if (count > limits.headerCount) {
    return { limit: 'header_count', problem: problem('headers-too-large', `a request may have at most ${limits.headerCount} header fields here`) }
  }
  let bytes = FIELD_SYNTAX_BYTES * count
  for (const part of fields) bytes += part.length
  return bytes > limits.headerBytes ? headersTooLarge(limits) : null
}

/** What node's parser complains of, by the codes of its errors. */
export function parserExcess(code: string, packet: Buffer | null, limits: ListenerLimits): Excess | null {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW': return packet !== null && isTargetTooLong(packet, limits) ? targetTooLong(limits) : headersTooLarge(limits)
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW': return { limit: 'request_body', problem: problem('body-too-large', 'the chunk extensions are larger than this server reads') }
    case 'ERR_HTTP_REQUEST_TIMEOUT': return { limit: 'header_time', problem: problem('request-timeout', 'the head of the request was not complete in time') }
    default: return null
  }
}

/** Looks at the request line, if the packet that ran over begins with one; without it we blame the fields. */
function isTargetTooLong(packet: Buffer, limits: ListenerLimits): boolean {
  const [, target = ''] = /^[A-Z-]+ (\S*)/.exec(packet.toString('latin1')) ?? []
  return target.length > limits.targetBytes
}

function targetTooLong(limits: ListenerLimits): Excess {
  return { limit: 'target_bytes', problem: problem('target-too-long', `path and query may have at most ${limits.targetBytes} bytes here`) }
}

function headersTooLarge(limits: ListenerLimits): Excess {
  return { limit: 'header_bytes', problem: problem('headers-too-large', `the header fields may have at most ${limits.headerBytes} bytes here`) }
}

import type { Hop } from './forwarding.ts'
import { connectionNames, NOT_FORWARDED, without, type Fields } from './headers.ts'
import { withoutOurPreferences } from './prefer.ts'
import type { KeyId } from './record.ts'

/*
 * A request that was accepted, as it waits for its execution: all that sending it needs, and nothing that the current policy
 * of its route says better. Four bytes for the length of the head, the head as JSON, and the body as it came.
 *
 * It holds credentials and whatever else the client sent: it is stored sealed, and never shown.
 */

/** What is kept of the hop: how we sign for it when it goes on is the affair of the process that sends it. */
export type StoredHop = Pick<Hop, 'peer' | 'trusted' | 'secure' | 'httpVersion'>

export interface StoredHead {
  readonly v: typeof VERSION
  readonly id: KeyId
  readonly operationRef: string
  /** by name: whoever executes it takes the policy that is in force then */
  readonly route: string
  readonly key: string
  /** see core/identity.ts */
  readonly identityName: string | null
  readonly retentionMs: number
  readonly method: string
  readonly target: string
  /** end-to-end fields */
  readonly fields: Fields
  readonly hop: StoredHop
}

export interface StoredRequest extends StoredHead {
  readonly body: Uint8Array
}

const VERSION = 1
const LENGTH_BYTES = 4

/** What belongs to the connection, and what asked to be accepted, stays here. */
export function storedFields(fields: Fields): string[] {
  return withoutOurPreferences(without(fields, NOT_FORWARDED, connectionNames(fields)))
}

export function storedRequest(head: Omit<StoredHead, 'v'>, body: Uint8Array): Uint8Array {
  const { peer, trusted, secure, httpVersion } = head.hop
  const text = Buffer.from(JSON.stringify({ ...head, hop: { peer, trusted, secure, httpVersion }, v: VERSION }))
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text, body])
}

/** Undefined for what this version did not write. */
export function readStoredRequest(payload: Uint8Array): StoredRequest | undefined {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  if (bytes.length < LENGTH_BYTES) return undefined
  const end = LENGTH_BYTES + bytes.readUInt32BE()
  if (end > bytes.length) return undefined
  let head: unknown
  try {
    head = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, end))
  } catch {
    return undefined
  }
  return isHead(head) ? { ...head, body: bytes.subarray(end) } : undefined
}

const TEXTS = ['id', 'operationRef', 'route', 'key', 'method', 'target'] as const

function isHead(value: unknown): value is StoredHead {
  return isGroup(value) && value['v'] === VERSION && TEXTS.every((name) => typeof value[name] === 'string')
    && (value['identityName'] === null || typeof value['identityName'] === 'string') && typeof value['retentionMs'] === 'number'
    && Array.isArray(value['fields']) && value['fields'].length % 2 === 0 && value['fields'].every((field) => typeof field === 'string') && isHop(value['hop'])
}

function isHop(value: unknown): value is StoredHop {
  return isGroup(value) && typeof value['peer'] === 'string' && typeof value['trusted'] === 'boolean' && typeof value['secure'] === 'boolean'
    && (value['httpVersion'] === '1.0' || value['httpVersion'] === '1.1')
}

function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

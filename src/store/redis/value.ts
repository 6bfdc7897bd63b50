import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto'
import type { Fields } from '../../core/headers.ts'
import type { Remembered } from '../../core/ports.ts'
import type { KeyId } from '../../core/record.ts'
import type { Reply } from '../../core/reply.ts'

/*
 * What stands in Redis under a key's id.
 *
 *     "O" version(1)  MAC(16)  length of meta(4)  meta (JSON)  body
 *
 * The MAC is HMAC-SHA256 under a key made of the installation's secret, over the id and everything behind it, cut to 128
 * bits. A CRC would find a flipped bit; but whoever may write to this Redis could then put any reply under any key. So
 * a value that was copied from another id, or made by somebody else, is as good as none.
 */

export const VERSION = 1

const MAGIC = 0x4f
const MAC_AT = 2
const MAC_BYTES = 16
const LENGTH_AT = MAC_AT + MAC_BYTES
const META_AT = LENGTH_AT + 4

/** Stands where a reply was evicted or a key forgotten: no reply, and no place for one. */
export const TOMBSTONE = Buffer.from([MAGIC, VERSION, 0])

export type Kept = Remembered & { readonly reply: { readonly kind: 'kept', readonly reply: Reply } }

export type Reading =
  | { readonly kind: 'reply', readonly what: Kept }
  | { readonly kind: 'buried' }
  /** of another version of this program, or not of this program at all */
  | { readonly kind: 'foreign' }
  /** damaged, or moved here from another id, or of another installation */
  | { readonly kind: 'corrupt' }

export function encode(id: KeyId, { reply: { reply }, ...what }: Kept, key: KeyObject): Buffer {
  const { fingerprint, spec, parts, operationRef, retainUntil, fence } = what
  const { status, headers, trailers, body } = reply
  const meta = JSON.stringify([fingerprint, spec, parts, operationRef, retainUntil, fence, status, headers, trailers])
  const metaBytes = Buffer.byteLength(meta)
  const value = Buffer.allocUnsafe(META_AT + metaBytes + body.length)
  value[0] = MAGIC
  value[1] = VERSION
  value.writeUInt32BE(metaBytes, LENGTH_AT)
  value.write(meta, META_AT)
  value.set(body, META_AT + metaBytes)
  macOf(id, value, key).copy(value, MAC_AT, 0, MAC_BYTES)
  return value
}

export function decode(id: KeyId, value: Buffer, key: KeyObject): Reading {
  if (value.equals(TOMBSTONE)) return { kind: 'buried' }
  if (value[0] !== MAGIC || value[1] !== VERSION) return { kind: 'foreign' }
  if (value.length < META_AT) return { kind: 'corrupt' }
  if (!timingSafeEqual(macOf(id, value, key).subarray(0, MAC_BYTES), value.subarray(MAC_AT, LENGTH_AT))) return { kind: 'corrupt' }
  const bodyAt = META_AT + value.readUInt32BE(LENGTH_AT)
  const meta: unknown = JSON.parse(value.toString('utf8', META_AT, bodyAt)) // whole, as its MAC says
  if (!isMeta(meta)) return { kind: 'corrupt' }
  const [fingerprint, spec, parts, operationRef, retainUntil, fence, status, headers, trailers] = meta
  // a copy: the value is a part of what the connection has read, which must not stay in memory along with it
  const body = new Uint8Array(value.subarray(bodyAt))
  return { kind: 'reply', what: { fingerprint, spec, parts, operationRef, retainUntil, fence, reply: { kind: 'kept', reply: { status, headers, trailers, body } } } }
}

function macOf(id: KeyId, value: Buffer, key: KeyObject): Buffer {
  return createHmac('sha256', key).update(`${id}\n`).update(value.subarray(LENGTH_AT)).digest()
}

type Meta = [fingerprint: string, spec: string, parts: string, operationRef: string, retainUntil: number, fence: number, status: number, headers: Fields, trailers: Fields]

function isMeta(meta: unknown): meta is Meta {
  if (!Array.isArray(meta) || meta.length !== 9) return false
  return meta.every((item, i) => (i < 4 ? typeof item === 'string' : i < 7 ? Number.isSafeInteger(item) : isFields(item)))
}

function isFields(value: unknown): value is Fields {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

import { hash } from 'node:crypto'

/** SHA-256 of a text or of bytes as base64url, 43 characters. One call of node's one-shot hash costs half of createHash. */
export function sha256(data: string | Uint8Array): string {
  return hash('sha256', data, 'base64url')
}

const BLOCK_BYTES = 64
const INNER = 0x36
const OUTER = 0x5c

const HASH_BYTES = 32

/** The two padded keys of RFC 2104 for the secret in use (there is one per installation), the outer one with room for a hash behind. */
let padded: { readonly secret: string, readonly inner: string, readonly outer: Buffer } | undefined

/**
 * HMAC-SHA256 (RFC 2104) as base64url, 43 characters, built from two one-shot hashes: an Hmac object costs three
 * times as much, and every request needs one. `secret` must be ASCII of at most 64 characters, which makes both
 * padded keys ASCII too, so that text and bytes are the same.
 */
export function hmac(secret: string, text: string): string {
  if (padded?.secret !== secret) padded = { secret, inner: pad(secret, INNER).toString('latin1'), outer: Buffer.concat([pad(secret, OUTER), Buffer.alloc(HASH_BYTES)]) }
  padded.outer.write(hash('sha256', padded.inner + text, 'binary'), BLOCK_BYTES, 'latin1')
  return hash('sha256', padded.outer, 'base64url')
}

function pad(secret: string, mask: number): Buffer {
  if (Buffer.byteLength(secret) > Math.min(secret.length, BLOCK_BYTES)) throw new RangeError('the secret must be ASCII and fit one block')
  const bytes = Buffer.alloc(BLOCK_BYTES, mask)
  for (let i = 0; i < secret.length; i += 1) bytes[i] = secret.charCodeAt(i) ^ mask
  return bytes
}

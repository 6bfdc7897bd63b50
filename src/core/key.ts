import { parseItem } from 'structured-headers'
import { hmac, sha256 } from './digest.ts'
import { connectionNames, valuesOf, type Fields } from './headers.ts'
import type { KeyId } from './record.ts'

export const KEY_HEADER = 'idempotency-key'
export const TTL_HEADER = 'idempotency-ttl'

export type KeyReading =
  | { readonly kind: 'present', readonly key: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'invalid', readonly detail: string }

/** 1 to 255 visible ASCII characters: no space, no control character, nothing that a log or a terminal would read as more than text. */
const KEY = /^[\x21-\x7e]{1,255}$/

/**
 * The client's key. The IETF draft asks for a quoted structured-field string; nearly every SDK sends it bare. Both
 * mean the same key. The field travels upstream unchanged.
 */
export function readKey(fields: Fields): KeyReading {
  const [first, ...more] = valuesOf(fields, KEY_HEADER)
  if (first === undefined) return { kind: 'absent' }
  if (more.length > 0) return { kind: 'invalid', detail: 'Idempotency-Key was sent more than once' }
  if (connectionNames(fields).has(KEY_HEADER)) return { kind: 'invalid', detail: 'the Connection field must not name Idempotency-Key' }
  const line = first.trim()
  const key = line.startsWith('"') ? PLAIN_QUOTED.exec(line)?.[1] ?? unquoted(line) : line
  if (key === undefined) return { kind: 'invalid', detail: 'a quoted Idempotency-Key must be a structured-field string (RFC 9651)' }
  if (!KEY.test(key)) return { kind: 'invalid', detail: 'Idempotency-Key must be 1 to 255 visible ASCII characters' }
  return { kind: 'present', key }
}

/** Nearly every quoted key: no escapes, no parameters. The rest goes to the parser. */
const PLAIN_QUOTED = /^"([\x21\x23-\x5b\x5d-\x7e]+)"$/

function unquoted(line: string): string | undefined {
  try {
    const [value] = parseItem(line)
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * The record's id: HMAC-SHA256 under the installation's secret over service, identity and key, each with its length
 * in front, so that no two triples share an input ("a:b" + "c" is not "a" + "b:c"). 32 bytes as base64url.
 */
export function keyId(secret: string, service: string, identity: string, key: string): KeyId {
  return hmac(secret, `id\n${service.length}:${service}${identity.length}:${identity}${key.length}:${key}`)
}

/** Whose work waits: an identity, under the installation's secret. 22 base64url characters. */
export function ownerDigest(secret: string, identity: string): string {
  return sha256(`${secret}\nowner\n${identity}`).slice(0, 22)
}

/**
 * Finds a record by the client's key alone, whoever sent it. 22 base64url characters; the secret in front makes it tell
 * nothing without it, and what is cut off makes it of no use for an extension.
 */
export function keyDigest(secret: string, key: string): string {
  return sha256(`${secret}\nkey\n${key}`).slice(0, 22)
}

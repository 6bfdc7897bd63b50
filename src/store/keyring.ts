import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import type { Random } from '../core/ports.ts'
import type { KeyId } from '../core/record.ts'
import { SEALED, type Reply, type StoredReply } from '../core/reply.ts'

/*
 * Seals replies with AES-256-GCM. The first key of the ring seals, all of them open, so a key is replaced by putting the new
 * one in front and taking the old one out when the longest retention is over. What is bound to a reply is the record's id
 * and fence: a sealed reply that was moved to another record, or to another life of the same key, does not open.
 *
 * A sealed reply looks like one with the status of the original and a single header (`onceward-sealed`, which no
 * upstream's reply ever has in storage); its body is
 *
 *     version(1)  length of key id(1)  key id  nonce(12)  tag(16)  sealed { length of fields(4)  [headers, trailers] as JSON  body }
 */

export interface SealingKey {
  readonly id: string
  /** 32 bytes */
  readonly secret: Uint8Array
}

export type Opened = { readonly kind: 'opened', readonly reply: StoredReply } | { readonly kind: 'shut' }

const VERSION = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** What no text of ours begins with; they are JSON. */
const SEALED_TEXT = 'sealed:'
/** A text belongs to all lives of its record's key, and no reply has this status. */
const [NO_FENCE, NO_STATUS] = [0, 0]
const CIPHER = 'aes-256-gcm'

export class Keyring {
  readonly #keys: ReadonlyMap<string, KeyObject>
  readonly #sealing: { readonly id: Buffer, readonly key: KeyObject } | null
  readonly #random: Random

  /** Without keys nothing is sealed, and what is sealed is shut. */
  constructor(keys: readonly SealingKey[], random: Random) {
    this.#keys = new Map(keys.map(({ id, secret }) => [id, keyOf(secret)]))
    const [first] = keys
    this.#sealing = first === undefined ? null : { id: Buffer.from(first.id, 'latin1'), key: keyOf(first.secret) }
    this.#random = random
  }

  seal(stored: StoredReply, id: KeyId, fence: number): StoredReply {
    if (this.#sealing === null || stored.kind === 'not-kept') return stored
    const { status, headers, body, trailers } = stored.reply
    // random nonces of 96 bits: one key may seal 2^32 replies (NIST SP 800-38D section 8.3)
    const nonce = Buffer.from(this.#random.token(NONCE_BYTES), 'base64url')
    const cipher = createCipheriv(CIPHER, this.#sealing.key, nonce, { authTagLength: TAG_BYTES }).setAAD(boundTo(id, fence, status))
    const fields = Buffer.from(JSON.stringify([headers, trailers]))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(fields.length)
    const sealed = [cipher.update(length), cipher.update(fields), cipher.update(body), cipher.final()]
    const head = Buffer.concat([Buffer.from([VERSION, this.#sealing.id.length]), this.#sealing.id, nonce, cipher.getAuthTag()])
    return { kind: 'kept', reply: { status, headers: [SEALED, '1'], trailers: [], body: Buffer.concat([head, ...sealed]) } }
  }

  /** A short text beside the record, bound to its id; see `openText`. */
  sealText(text: string, id: KeyId): string {
    const sealed = this.seal({ kind: 'kept', reply: { status: NO_STATUS, headers: [], body: Buffer.from(text), trailers: [] } }, id, NO_FENCE)
    return this.#sealing === null || sealed.kind === 'not-kept' ? text : `${SEALED_TEXT}${Buffer.from(sealed.reply.body).toString('base64url')}`
  }

  /** Null for one that does not open. A text that was stored before there were keys is as it is. */
  openText(text: string, id: KeyId): string | null {
    if (!text.startsWith(SEALED_TEXT)) return text
    const body = Buffer.from(text.slice(SEALED_TEXT.length), 'base64url')
    const { kind, reply } = { reply: null, ...this.open({ kind: 'kept', reply: { status: NO_STATUS, headers: [SEALED, '1'], body, trailers: [] } }, id, NO_FENCE) }
    return kind === 'opened' && reply?.kind === 'kept' ? Buffer.from(reply.reply.body).toString('utf8') : null
  }

  /** The payload of an event, bound to its id. No JSON text begins with the byte that an envelope begins with. */
  sealPayload(payload: Uint8Array, event: string): Uint8Array {
    const sealed = this.seal({ kind: 'kept', reply: { status: NO_STATUS, headers: [], body: payload, trailers: [] } }, event, NO_FENCE)
    return this.#sealing === null || sealed.kind === 'not-kept' ? payload : sealed.reply.body
  }

  /** Null for one that does not open. A payload that was stored before there were keys is as it is. */
  openPayload(payload: Uint8Array, event: string): Uint8Array | null {
    if (payload[0] !== VERSION) return payload
    const opened = this.open({ kind: 'kept', reply: { status: NO_STATUS, headers: [SEALED, '1'], body: payload, trailers: [] } }, event, NO_FENCE)
    return opened.kind === 'opened' && opened.reply.kind === 'kept' ? opened.reply.reply.body : null
  }

  /** A reply that was stored before there were keys is as it is. */
  open(stored: StoredReply, id: KeyId, fence: number): Opened {
    if (stored.kind === 'not-kept' || !isSealed(stored.reply)) return { kind: 'opened', reply: stored }
    const { status } = stored.reply
    const envelope = Buffer.from(stored.reply.body.buffer, stored.reply.body.byteOffset, stored.reply.body.length)
    const idEnd = 2 + (envelope[1] ?? 0)
    const key = this.#keys.get(envelope.toString('latin1', 2, idEnd))
    const dataAt = idEnd + NONCE_BYTES + TAG_BYTES
    if (envelope[0] !== VERSION || key === undefined || envelope.length < dataAt + 4) return { kind: 'shut' }
    const decipher = createDecipheriv(CIPHER, key, envelope.subarray(idEnd, idEnd + NONCE_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(boundTo(id, fence, status)).setAuthTag(envelope.subarray(idEnd + NONCE_BYTES, dataAt))
    const plain = decipher.update(envelope.subarray(dataAt))
    try {
      decipher.final()
    } catch {
      return { kind: 'shut' }
    }
    const bodyAt = 4 + plain.readUInt32BE(0)
    const fields: unknown = JSON.parse(plain.toString('utf8', 4, bodyAt)) // what was sealed, as its tag says
    if (!isFields(fields)) return { kind: 'shut' }
    const [headers, trailers] = fields
    return { kind: 'opened', reply: { kind: 'kept', reply: { status, headers, trailers, body: plain.subarray(bodyAt) } } }
  }
}

function isSealed({ headers }: Reply): boolean {
  return headers[0] === SEALED
}

function boundTo(id: KeyId, fence: number, status: number): Buffer {
  return Buffer.from(`${id}\n${fence}\n${status}`)
}

/** What is configured is a secret and not yet a key for one purpose. */
function keyOf(secret: Uint8Array): KeyObject {
  return createSecretKey(new Uint8Array(hkdfSync('sha256', secret, '', 'onceward: sealed replies', 32)))
}

function isFields(value: unknown): value is [headers: string[], trailers: string[]] {
  return Array.isArray(value) && value.length === 2 && value.every((list) => Array.isArray(list) && list.every((item) => typeof item === 'string'))
}

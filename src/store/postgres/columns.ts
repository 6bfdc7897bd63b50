/*
 * A batch as parameters. One array literal for each column: node-postgres would build the same text from JavaScript
 * arrays with a call for every value. Ids and bodies go as bytes in one piece each, which costs neither of both sides a
 * conversion; the statement cuts them by their places.
 */

const ID_BYTES = 32
/** base64url of an id; anything else is no id, and is sent as zeros, which the table refuses. */
const ID_LENGTH = 43

const SPECIAL = /["\\]/
const EVERY_SPECIAL = /["\\]/g

export function texts<T>(rows: readonly T[], of: (row: T) => string | null): string {
  let literal = '{'
  for (const row of rows) {
    const text = of(row)
    if (text === null) literal += literal === '{' ? 'null' : ',null'
    else literal += `${literal === '{' ? '"' : ',"'}${SPECIAL.test(text) ? text.replace(EVERY_SPECIAL, '\\$&') : text}"`
  }
  return `${literal}}`
}

export function numbers<T>(rows: readonly T[], of: (row: T) => number | null): string {
  let literal = '{'
  for (const row of rows) literal += `${literal === '{' ? '' : ','}${of(row) ?? 'null'}`
  return `${literal}}`
}

export function ids(rows: readonly { readonly id: string }[]): Buffer {
  const packed = Buffer.alloc(rows.length * ID_BYTES)
  let place = 0
  for (const { id } of rows) {
    if (id.length === ID_LENGTH) packed.write(id, place, ID_BYTES, 'base64url')
    place += ID_BYTES
  }
  return packed
}

/** Bytes and texts one behind the other; `add` says where each begins, counted from 1 as SQL does. */
export class Packed {
  readonly #parts: (string | Uint8Array)[] = []
  #length = 0

  get next(): number {
    return this.#length + 1
  }

  /** How many bytes it took. */
  add(part: string | Uint8Array): number {
    const length = typeof part === 'string' ? Buffer.byteLength(part) : part.length
    this.#parts.push(part)
    this.#length += length
    return length
  }

  bytes(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#length)
    let place = 0
    for (const part of this.#parts) {
      if (typeof part === 'string') place += bytes.write(part, place)
      else {
        bytes.set(part, place)
        place += part.length
      }
    }
    return bytes
  }
}

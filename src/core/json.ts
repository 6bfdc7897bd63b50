import { isUtf8 } from 'node:buffer'

/*
 * JSON read as it was written. JSON.parse would not do: it forgets a name that stands twice, and it rounds numbers.
 * Reading is linear and bounded, because whoever sends a body chooses it.
 */

export type Json =
  | { readonly kind: 'word', readonly word: 'true' | 'false' | 'null' }
  /** the digits as sent */
  | { readonly kind: 'number', readonly source: string }
  | { readonly kind: 'string', readonly value: string }
  | { readonly kind: 'array', readonly items: readonly Json[] }
  /** no name twice; in the order of UTF-16 code units, which is that of RFC 8785 section 3.2.3 */
  | { readonly kind: 'object', readonly members: readonly Member[] }

export interface Member {
  readonly name: string
  readonly value: Json
}

/*
 * The bounds are part of what the fingerprint's specification means: a body beyond them is digested as raw bytes, so a
 * change of one of them is a new version in fingerprint.ts.
 */

/** Arrays and objects within one another. Readers of JSON differ from some depth on, and ours uses the stack. */
export const MOST_DEPTH = 64
/** Some 25 MB while they are read. */
export const MOST_VALUES = 1 << 18
/** A double written out in full has at most 1077 characters, and nobody does. */
const MOST_DIGITS = 1024

/** Undefined for what is no JSON (RFC 8259, in UTF-8 without a byte order mark), has a name twice in an object, or is beyond the bounds. */
export function readJson(bytes: Uint8Array): Json | undefined {
  if (!isUtf8(bytes)) return undefined
  try {
    return new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')).document()
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Surrogates without their other half, and code points that are no characters: text that not everybody passes on alike (RFC 7493 section 2.1). */
const NOT_INTERCHANGEABLE = /[\p{Surrogate}\p{Noncharacter_Code_Point}]/u

export function isInterchangeable(text: string): boolean {
  return !NOT_INTERCHANGEABLE.test(text)
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[Ee][+-]?\d+)?$/
const WORDS = ['true', 'false', 'null'] as const

const [TAB, LINE_FEED, RETURN, SPACE, QUOTE, BACKSLASH] = [0x09, 0x0a, 0x0d, 0x20, 0x22, 0x5c]
const [COMMA, COLON, ARRAY, ARRAY_END, OBJECT, OBJECT_END] = [0x2c, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d]

class Reader {
  readonly #text: string
  #at = 0
  #values = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): Json {
    const value = this.#value(0)
    this.#skipSpace()
    if (this.#at !== this.#text.length) throw this.#unexpected()
    return value
  }

  #value(depth: number): Json {
    this.#values += 1
    if (this.#values > MOST_VALUES) throw this.#unexpected()
    this.#skipSpace()
    switch (this.#text.charCodeAt(this.#at)) {
      case QUOTE: return { kind: 'string', value: this.#string() }
      case ARRAY: return { kind: 'array', items: this.#array(depth + 1) }
      case OBJECT: return { kind: 'object', members: this.#object(depth + 1) }
      default: return this.#word() ?? this.#number()
    }
  }

  #array(depth: number): Json[] {
    const items: Json[] = []
    this.#enter(depth)
    if (this.#take(ARRAY_END)) return items
    do items.push(this.#value(depth))
    while (this.#take(COMMA))
    if (!this.#take(ARRAY_END)) throw this.#unexpected()
    return items
  }

  #object(depth: number): Member[] {
    const members: Member[] = []
    this.#enter(depth)
    if (this.#take(OBJECT_END)) return members
    do {
      this.#skipSpace()
      if (this.#text.charCodeAt(this.#at) !== QUOTE) throw this.#unexpected()
      const name = this.#string()
      if (!this.#take(COLON)) throw this.#unexpected()
      members.push({ name, value: this.#value(depth) })
    } while (this.#take(COMMA))
    if (!this.#take(OBJECT_END)) throw this.#unexpected()
    members.sort((one, other) => (one.name < other.name ? -1 : Number(one.name > other.name)))
    // Names that are equal are neighbours now; a set of them could be filled with collisions.
    if (members.some(({ name }, i) => name === members[i + 1]?.name)) throw this.#unexpected()
    return members
  }

  #enter(depth: number): void {
    if (depth > MOST_DEPTH) throw this.#unexpected()
    this.#at += 1
  }

  #string(): string {
    const start = this.#at
    let plain = true
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      const code = this.#text.charCodeAt(this.#at)
      if (code === QUOTE) {
        this.#at += 1
        if (plain) return this.#text.slice(start + 1, this.#at - 1)
        const value: string = JSON.parse(this.#text.slice(start, this.#at))
        return value
      }
      if (code < SPACE) throw this.#unexpected()
      if (code !== BACKSLASH) continue
      plain = false
      this.#at += 1 // whatever is escaped, a quote above all, ends nothing
    }
    throw this.#unexpected()
  }

  #word(): Json | undefined {
    const word = WORDS.find((candidate) => this.#text.startsWith(candidate, this.#at))
    if (word === undefined) return undefined
    this.#at += word.length
    return { kind: 'word', word }
  }

  #number(): Json {
    const start = this.#at
    while (isOfNumber(this.#text.charCodeAt(this.#at))) this.#at += 1
    if (this.#at - start > MOST_DIGITS) throw this.#unexpected()
    const source = this.#text.slice(start, this.#at)
    if (!NUMBER.test(source)) throw this.#unexpected()
    return { kind: 'number', source }
  }

  #take(code: number): boolean {
    this.#skipSpace()
    if (this.#text.charCodeAt(this.#at) !== code) return false
    this.#at += 1
    return true
  }

  #skipSpace(): void {
    for (; ; this.#at += 1) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== SPACE && code !== LINE_FEED && code !== RETURN && code !== TAB) return
    }
  }

  #unexpected(): SyntaxError {
    return new SyntaxError(`no JSON from character ${this.#at} on`)
  }
}

/** 0-9 + - . E e */
function isOfNumber(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e || code === 0x45 || code === 0x65
}

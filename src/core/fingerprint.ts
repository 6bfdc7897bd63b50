import { canonicalJson } from './canonical-json.ts'
import { sha256 } from './digest.ts'
import { firstOf, valuesOf, type Fields } from './headers.ts'
import { readJson } from './json.ts'
import { boundaryOf, isMultipart, partsOf, withoutBoundary } from './multipart.ts'
import type { Parts } from './record.ts'
import { exclusions, specText, type FingerprintSpec } from './fingerprint-spec.ts'

export interface Fingerprint {
  /** base64url of 32 bytes */
  readonly digest: string
  readonly spec: string
  /** made when they are asked for: a replay needs none */
  readonly parts: Parts
}

export interface FingerprintInput {
  readonly method: string
  /** path and query as sent */
  readonly target: string
  readonly fields: Fields
  readonly body: Uint8Array
}

/**
 * Digests a request under a specification. Every digest starts with the installation's secret: a stored one cannot be
 * matched against guesses.
 */
export function fingerprint(secret: string, spec: FingerprintSpec, { method, target, fields, body }: FingerprintInput): Fingerprint {
  const type = firstOf(fields, 'content-type') ?? ''
  const multipart = isMultipart(type)
  const content = multipart ? contentOfParts(spec, type, body) : spec.mode === 'json' ? contentOfJson(spec, type, body) : sha256(body)
  return around(content, multipart ? withoutBoundary(type) : type, secret, spec, method, target, fields)
}

/** Likewise where nobody has the body itself: by its digest (`sha256`), which says enough of one that is taken raw and has no parts. */
export function fingerprintOfDigest(digest: string, secret: string, spec: FingerprintSpec, { method, target, fields }: Omit<FingerprintInput, 'body'>): Fingerprint {
  return around(digest, firstOf(fields, 'content-type') ?? '', secret, spec, method, target, fields)
}

function around(content: string, type: string, secret: string, spec: FingerprintSpec, method: string, target: string, fields: Fields): Fingerprint {
  const text = specText(spec)
  const headers = headerText(spec, type, fields)
  const digest = sha256(`${secret}\n${text}\n${method.length}:${method}${target.length}:${target}${headers.length}:${headers}${content}`)
  return new Digests(digest, text, secret, { method, target, headers, content })
}

interface PartTexts {
  readonly method: string
  readonly target: string
  readonly headers: string
  readonly content: string
}

/** A class, because V8 makes an object with a getter of its own a new shape by a slow path, and that per request. */
class Digests implements Fingerprint {
  readonly digest: string
  readonly spec: string
  readonly #secret: string
  readonly #texts: PartTexts
  #parts: Parts | null = null

  constructor(digest: string, spec: string, secret: string, texts: PartTexts) {
    this.digest = digest
    this.spec = spec
    this.#secret = secret
    this.#texts = texts
  }

  get parts(): Parts {
    if (this.#parts === null) {
      const { method, target, headers, content } = this.#texts
      const secret = this.#secret
      this.#parts = `${recurring(secret, 'method', method)}.${recurring(secret, 'target', target)}.${recurring(secret, 'headers', headers)}.${part(secret, 'body', content)}`
    }
    return this.#parts
  }
}

function headerText(spec: FingerprintSpec, type: string, fields: Fields): string {
  let headers = `content-type\n${type}`
  for (const name of spec.headers) {
    const values = valuesOf(fields, name)
    headers += `\n${name}\n${values.length}`
    for (const value of values) headers += `\n${value.length}:${value}`
  }
  return headers
}

/*
 * The digest of a body. One taken raw is 43 characters of base64url, the others have a word and a colon in front, so that
 * no bytes can pass for the canonical text or the parts that they spell.
 */

function contentOfJson(spec: Extract<FingerprintSpec, { mode: 'json' }>, type: string, body: Uint8Array): string {
  const document = isJson(type) ? readJson(body) : undefined
  const text = document === undefined ? undefined : canonicalJson(document, exclusions(spec))
  return text === undefined ? sha256(body) : `json:${sha256(text)}`
}

/** The parts one behind the other, and where each of them ends. Two hashes, however many parts somebody makes. */
function contentOfParts(spec: FingerprintSpec, type: string, body: Uint8Array): string {
  const boundary = spec.version === 1 ? undefined : boundaryOf(type)
  const parts = boundary === undefined ? undefined : partsOf(body, boundary)
  if (parts === undefined) return sha256(body)
  return `multipart:${sha256(parts.map((bytes) => bytes.length).join())}${sha256(Buffer.concat(parts))}`
}

export function isJson(type: string): boolean {
  const [essence = ''] = type.toLowerCase().split(';', 1)
  return /^application\/json\s*$|\+json\s*$/.test(essence)
}

const PART_NAMES = ['method', 'target', 'headers', 'body'] as const

/** The names of the parts in which two requests differ. */
export function differing(first: Parts, second: Parts): string[] {
  const [one, other] = [first.split('.'), second.split('.')]
  return PART_NAMES.filter((_, i) => one[i] !== other[i])
}

/** 66 bits are enough to tell two parts apart, and too few to be worth a search. */
function part(secret: string, label: string, text: string): string {
  return sha256(`${secret}\n${label}\n${text}`).slice(0, 11)
}

/**
 * Methods, targets and content types come again and again; their digests are kept, within bounds, since others can be
 * made up. There is one secret per installation.
 */
const MOST_RECURRING = 256
let recurrent: { readonly secret: string, readonly method: Map<string, string>, readonly target: Map<string, string>, readonly headers: Map<string, string> } | undefined

function recurring(secret: string, label: 'method' | 'target' | 'headers', text: string): string {
  if (recurrent?.secret !== secret) recurrent = { secret, method: new Map(), target: new Map(), headers: new Map() }
  const known = recurrent[label]
  let digest = known.get(text)
  if (digest !== undefined) return digest
  digest = part(secret, label, text)
  if (known.size < MOST_RECURRING && text.length <= MOST_RECURRING) known.set(text, digest)
  return digest
}

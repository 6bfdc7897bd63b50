import { sha256 } from './digest.ts'
import { firstOf, valuesOf, type Fields } from './headers.ts'
import type { Parts } from './record.ts'

/** Which parts of a request say that it is the same request. The method, target, content type and body always do. */
export interface FingerprintSpec {
  readonly version: 1
  readonly mode: 'raw'
  /** further header fields, lower case and sorted */
  readonly headers: readonly string[]
}

/** The canonical text under which a record stores its specification: an old record is compared under its own. */
export function specText(spec: FingerprintSpec): string {
  let text = texts.get(spec)
  if (text === undefined) texts.set(spec, text = write(spec))
  return text
}

/** A specification lives as long as its route, and is written once. */
const texts = new WeakMap<FingerprintSpec, string>()

function write(spec: FingerprintSpec): string {
  return JSON.stringify([spec.version, spec.mode, [...spec.headers].sort()])
}

/** Reads what `specText` wrote; undefined for a text of some other version. */
export function parseSpec(text: string): FingerprintSpec | undefined {
  try {
    const spec: unknown = JSON.parse(text)
    if (!Array.isArray(spec) || spec[0] !== 1 || spec[1] !== 'raw' || !Array.isArray(spec[2])) return undefined
    return { version: 1, mode: 'raw', headers: spec[2].filter((name): name is string => typeof name === 'string') }
  } catch {
    return undefined
  }
}

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
 * Digests a request over its bytes: nothing is parsed, so 1.0 and 1 stay different, and so do two orders of the same
 * JSON members. Every digest starts with the installation's secret: a stored one cannot be matched against guesses.
 */
export function fingerprint(secret: string, spec: FingerprintSpec, { method, target, fields, body }: FingerprintInput): Fingerprint {
  const text = specText(spec)
  const headers = headerText(spec, fields)
  const content = sha256(body)
  let parts: Parts | undefined
  return {
    digest: sha256(`${secret}\n${text}\n${method.length}:${method}${target.length}:${target}${headers.length}:${headers}${content}`),
    spec: text,
    get parts() {
      parts ??= [recurring(secret, 'method', method), part(secret, 'target', target), recurring(secret, 'headers', headers), part(secret, 'body', content)].join('.')
      return parts
    },
  }
}

function headerText(spec: FingerprintSpec, fields: Fields): string {
  let headers = `content-type\n${contentType(fields)}`
  for (const name of spec.headers) {
    const values = valuesOf(fields, name)
    headers += `\n${name}\n${values.length}`
    for (const value of values) headers += `\n${value.length}:${value}`
  }
  return headers
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

/** Methods and content types come again and again; their digests are kept, within bounds, since others can be made up. */
const MOST_RECURRING = 256
const recurrent = new Map<string, string>()

function recurring(secret: string, label: string, text: string): string {
  const at = `${secret}\n${label}\n${text}`
  let digest = recurrent.get(at)
  if (digest !== undefined) return digest
  digest = part(secret, label, text)
  if (recurrent.size < MOST_RECURRING && text.length <= MOST_RECURRING) recurrent.set(at, digest)
  return digest
}

/** Without a multipart boundary: it is random per sending, and a client's retry makes a new one. */
function contentType(fields: Fields): string {
  const value = firstOf(fields, 'content-type') ?? ''
  return /^multipart\//i.test(value) ? value.replace(/;\s*boundary=(?:"[^"]*"|[^;]*)/i, '') : value
}

import { parsePointer, type Pointer } from './json-pointer.ts'

/**
 * Which parts of a request say that it is the same request: the method, target, content type and body always do. A
 * record stores the text of its specification and is compared under it for as long as it lives, so a version is never
 * changed: what it says about one request must stay what it said.
 *
 * - 1: the body's bytes.
 * - 2: a multipart body by its parts, whatever its boundary is. `raw`: other bodies by their bytes. `json`: JSON by its
 *   canonical text, without what the pointers of `exclude` lead to.
 *
 * `headers` are in lower case. Policies have both lists sorted, so that their order in a file means nothing.
 */
export type FingerprintSpec =
  | { readonly version: 1 | 2, readonly mode: 'raw', readonly headers: readonly string[] }
  | { readonly version: 2, readonly mode: 'json', readonly headers: readonly string[], readonly exclude: readonly string[] }

/** The text under which a record stores its specification: one text for one specification, in the order of its lists. */
export function specText(spec: FingerprintSpec): string {
  let text = texts.get(spec)
  if (text === undefined) texts.set(spec, text = write(spec))
  return text
}

/** A specification lives as long as its route, and is written once. */
const texts = new WeakMap<FingerprintSpec, string>()

function write(spec: FingerprintSpec): string {
  return JSON.stringify([spec.version, spec.mode, spec.headers, ...(spec.mode === 'json' ? [spec.exclude] : [])])
}

/** Reads what `specText` wrote; undefined for the text of a version that this one does not know. */
export function parseSpec(text: string): FingerprintSpec | undefined {
  let written: unknown
  try {
    written = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(written)) return undefined
  const [version, mode, headers, exclude, ...more]: unknown[] = written
  if (!isTexts(headers) || more.length > 0) return undefined
  if (mode === 'raw' && (version === 1 || version === 2) && exclude === undefined) return { version, mode, headers }
  if (mode === 'json' && version === 2 && isTexts(exclude) && exclude.every((pointer) => parsePointer(pointer) !== undefined)) return { version, mode, headers, exclude }
  return undefined
}

/** The pointers of `exclude`, read once like the text. */
export function exclusions(spec: Extract<FingerprintSpec, { mode: 'json' }>): readonly Pointer[] {
  let pointers = excluded.get(spec)
  if (pointers === undefined) excluded.set(spec, pointers = spec.exclude.map(parsePointer).filter((pointer) => pointer !== undefined))
  return pointers
}

const excluded = new WeakMap<FingerprintSpec, readonly Pointer[]>()

function isTexts(list: unknown): list is readonly string[] {
  return Array.isArray(list) && list.every((text) => typeof text === 'string')
}

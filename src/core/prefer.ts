import { lowerCase, valuesOf, type Fields } from './headers.ts'

/*
 * The Prefer field (RFC 7240): a list of preferences, each with a value and parameters or without.
 *
 *     Prefer: respond-async, wait=10
 *     Prefer: return=minimal; foo="some, value"
 *
 * Two of them are about how long a client waits, and are ours where a request is accepted; all others are the upstream's and
 * travel on as they were sent. Of a preference that stands twice the first one counts (section 2).
 */

export interface Preferences {
  readonly respondAsync: boolean
  /** how long the client waits for the reply itself, in ms; null if it does not say */
  readonly waitMs: number | null
}

/** One preference as it reads. */
interface Preference {
  /** lower case */
  readonly name: string
  readonly value: string
}

export function preferencesOf(fields: Fields): Preferences {
  const all = valuesOf(fields, 'prefer').flatMap(split).map(read)
  const wait = all.find(({ name }) => name === 'wait')?.value ?? ''
  // delta-seconds; ten digits are three centuries
  return { respondAsync: all.some(({ name }) => name === 'respond-async'), waitMs: /^\d{1,10}$/.test(wait) ? Number(wait) * 1000 : null }
}

/** The fields without what is ours of Prefer: lines that have something else keep it, as it was sent. */
export function withoutOurPreferences(fields: Fields): string[] {
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? ''
    const value = fields[i + 1] ?? ''
    if (lowerCase(name) !== 'prefer') {
      kept.push(name, value)
      continue
    }
    const members = split(value)
    const others = members.filter((text) => !OURS.has(read(text).name))
    if (others.length === members.length) kept.push(name, value)
    else if (others.length > 0) kept.push(name, others.join(', '))
  }
  return kept
}

const OURS: ReadonlySet<string> = new Set(['respond-async', 'wait'])

/** At the commas that stand in no quoted string (RFC 9110 section 5.6.4); empty members are none. */
function split(line: string): string[] {
  return pieces(line, ',').map((text) => text.trim()).filter((text) => text !== '')
}

function read(text: string): Preference {
  const [first = ''] = pieces(text, ';')
  const equals = first.indexOf('=')
  const name = (equals === -1 ? first : first.slice(0, equals)).trim().toLowerCase()
  const value = equals === -1 ? '' : first.slice(equals + 1).trim()
  return { name, value: /^".*"$/.test(value) ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value }
}

/** Linear, whatever stands there: a client chooses it. */
function pieces(text: string, separator: string): string[] {
  const found: string[] = []
  let quoted = false
  let start = 0
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (quoted && character === '\\') at += 1
    else if (character === '"') quoted = !quoted
    else if (!quoted && character === separator) {
      found.push(text.slice(start, at))
      start = at + 1
    }
  }
  return [...found, text.slice(start)]
}

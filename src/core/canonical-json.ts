import { isInterchangeable, type Json } from './json.ts'
import { below, type Pointer } from './json-pointer.ts'

/**
 * The canonical text (RFC 8785) of a document without what the pointers lead to: two documents have the same one if
 * and only if every reader of JSON takes them for the same data. Undefined if that cannot be promised, because the
 * document is no I-JSON (RFC 7493): a number that a double does not hold, or text that is not well-formed. What the
 * pointers take out may be anything; a pointer that leads nowhere takes out nothing.
 */
export function canonicalJson(value: Json, excluded: readonly Pointer[] = []): string | undefined {
  switch (value.kind) {
    case 'word': return value.word
    case 'number': return canonicalNumber(value.source)
    case 'string': return canonicalString(value.value)
    case 'array': {
      const items: string[] = []
      for (const [i, item] of value.items.entries()) {
        const within = below(excluded, String(i))
        if (within === 'itself') continue
        const text = canonicalJson(item, within)
        if (text === undefined) return undefined
        items.push(text)
      }
      return `[${items.join(',')}]`
    }
    case 'object': {
      const members: string[] = []
      for (const member of value.members) {
        const within = below(excluded, member.name)
        if (within === 'itself') continue
        const name = canonicalString(member.name)
        const text = canonicalJson(member.value, within)
        if (name === undefined || text === undefined) return undefined
        members.push(`${name}:${text}`)
      }
      return `{${members.join(',')}}`
    }
    default: return value satisfies never
  }
}

/** For well-formed text JSON.stringify escapes exactly what RFC 8785 section 3.2.2.2 does. */
function canonicalString(text: string): string | undefined {
  return isInterchangeable(text) ? JSON.stringify(text) : undefined
}

/**
 * As ECMAScript writes the double (RFC 8785 section 3.2.2.3), if that is still the number that was sent: 1.0, 1e0 and 1
 * are one number, while 9007199254740993 would become another, and two such would look the same.
 */
function canonicalNumber(source: string): string | undefined {
  const double = Number(source)
  const written = String(double)
  if (written === source) return written
  return Number.isFinite(double) && decimal(source) === decimal(written) ? written : undefined
}

/** The significant digits of a number and the power of ten of the last one. The sign is left out: a double keeps it, and zero needs none. */
function decimal(text: string): string {
  const [mantissa = '', power = '0'] = text.replace(/^-/, '').split(/e/i)
  const [whole = '', fraction = ''] = mantissa.split('.')
  const digits = whole + fraction
  let from = 0
  while (digits[from] === '0') from += 1
  let to = digits.length
  while (to > from && digits[to - 1] === '0') to -= 1
  return from === to ? '0' : `${digits.slice(from, to)}e${Number(power) - fraction.length + digits.length - to}`
}

import type { Json } from './json.ts'

/** JSON as text again: numbers as they were written, texts so that every reader takes them (JSON.stringify escapes what is no whole character). */
export function jsonText(value: Json): string {
  switch (value.kind) {
    case 'word': return value.word
    case 'number': return value.source
    case 'string': return JSON.stringify(value.value)
    case 'array': return `[${value.items.map(jsonText).join(',')}]`
    case 'object': return `{${value.members.map((member) => `${JSON.stringify(member.name)}:${jsonText(member.value)}`).join(',')}}`
    default: return value satisfies never
  }
}

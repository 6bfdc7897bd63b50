/** One thing that is wrong, and what would be right. Never holds a value that came from the environment. */
export interface Mistake {
  /** the file, or the flag or variable that has the value; then line and column are 0 */
  readonly file: string
  readonly line: number
  readonly column: number
  /** dotted, such as `routes[2].idempotency.retention`; empty if the text is wrong as a whole */
  readonly field: string
  readonly found: string
  readonly expected: string
  /** a sentence of the two, for a person */
  readonly message: string
}

/** Where a value or a field stands. */
export interface Spot {
  readonly file: string
  readonly line: number
  readonly column: number
  /** as it may be shown: `${VAR}` for what a variable gave, `nothing` for what is not there */
  readonly found: string
  /** the value if it was written here literally, so that a suggestion may repeat it */
  readonly literal: string | null
}

/** From the document's root: names of fields and indices of lists. */
export type Path = readonly string[]

/** `at: 'name'` points at the field's name instead of its value. */
export type Locate = (path: Path, at?: 'name') => Spot

/** `onceward.yaml:12:18: routes[0].idempotency.retention: found 24; needed: a duration with a unit (write 24s)` */
export function formatMistake(mistake: Mistake): string {
  const { file, line, column, field, message } = mistake
  if (line === 0) return `${file}: ${message}`
  return `${file}:${line}:${column}: ${field === '' ? '' : `${field}: `}${message}`
}

export function wrongValue(spot: Spot, path: Path, expected: string, suggestions: readonly string[] = []): Mistake {
  const hint = suggestions.length === 0 ? '' : ` (write ${alternatives(suggestions)})`
  return make(spot, path, expected, `found ${spot.found}; needed: ${expected}${hint}`)
}

/** A field, flag or variable that does not exist. */
export function unknownField(spot: Spot, path: Path, near: readonly string[], known: readonly string[]): Mistake {
  const expected = near.length > 0 ? `did you mean ${alternatives(near)}?` : `known here: ${known.join(', ')}`
  return make(spot, path, expected, `there is no such field; ${expected}`)
}

/** What is wrong with the text before any field can be looked at. */
export function wrongText(spot: Spot, message: string): Mistake {
  return make(spot, [], '', message)
}

export function fieldName(path: Path): string {
  return path.reduce((name, step) => (/^[0-9]+$/.test(step) ? `${name}[${step}]` : `${name}${name === '' ? '' : '.'}${step}`), '')
}

/** `a`, `a or b`, `a, b or c` */
export function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

export function inReadingOrder(mistakes: readonly Mistake[]): Mistake[] {
  return mistakes.toSorted((a, b) => a.line - b.line || a.column - b.column)
}

function make(spot: Spot, path: Path, expected: string, message: string): Mistake {
  const { file, line, column, found } = spot
  return { file, line, column, field: visible(fieldName(path)), found: visible(found), expected: visible(expected), message: visible(message) }
}

/** A file may be somebody else's: no control character of it reaches a terminal or breaks a line of the log. */
function visible(text: string): string {
  return text.replace(/\p{C}/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

import { parseArgs } from 'node:util'
import { FORMATS } from '../config/formats.ts'
import { alternatives } from '../config/mistakes.ts'
import { nearest } from '../config/nearest.ts'

/** What stands on a command line, and everything that is wrong with it as such. */
export interface Given {
  /** by the flag's name without its dashes; a switch has the value '' */
  readonly flags: ReadonlyMap<string, string>
  /** of `-H` and `--header`, flat */
  readonly fields: readonly string[]
  readonly words: readonly string[]
  readonly mistakes: readonly string[]
}

/** Flags with their dashes: those that take a value, and those that do not. `-H`, `--help` and `--version` are always known. */
export interface KnownFlags {
  readonly valued: readonly string[]
  readonly switches: readonly string[]
}

export function readFlags(argv: readonly string[], { valued, switches }: KnownFlags): Given {
  const options = {
    ...Object.fromEntries(valued.map((flag) => [flag.slice(2), { type: 'string' as const }])),
    ...Object.fromEntries(switches.map((flag) => [flag.slice(2), { type: 'boolean' as const }])),
    header: { type: 'string' as const, short: 'H' },
    help: { type: 'boolean' as const, short: 'h' },
    version: { type: 'boolean' as const, short: 'v' },
  }
  // not strict: parseArgs would throw at the first mistake and know nothing of near names
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true })
  const flags = new Map<string, string>()
  const words: string[] = []
  const fields: string[] = []
  const mistakes: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind !== 'option') continue
    const flag = token.rawName.startsWith('--') ? `--${token.name}` : token.rawName
    if (token.name === 'help' || token.name === 'version' || switches.includes(flag)) flags.set(token.name, '')
    else if (flag === '-H' || flag === '--header') mistakes.push(...takeField(token.value, fields))
    else if (!valued.includes(flag)) mistakes.push(`there is no flag ${flag}; ${hint(flag, [...valued, ...switches, '--help', '--version'])}`)
    else if (token.value === undefined || (!token.inlineValue && token.value.startsWith('--'))) mistakes.push(`${flag} needs a value`)
    else if (flags.has(token.name)) mistakes.push(`${flag} stands twice`)
    else flags.set(token.name, token.value)
  }
  return { flags, fields, words, mistakes }
}

/** What somebody may have meant, or all that there is. */
export function hint(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return near.length > 0 ? `did you mean ${alternatives(near)}?` : `there is ${known.join(', ')}`
}

/** One character per byte, as they come off the wire. */
export function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** Puts name and value of `Name: value` behind `fields`; returns what is wrong with it. */
function takeField(text: string | undefined, fields: string[]): string[] {
  const [, name, value] = /^([^:]*):[ \t]*(.*?)[ \t]*$/s.exec(text ?? '') ?? []
  if (name === undefined || value === undefined || FORMATS.get('header-name')?.accepts(name) !== true) return ["-H needs a header such as -H 'Idempotency-Key: abc'"]
  fields.push(name, asBytes(value))
  return []
}

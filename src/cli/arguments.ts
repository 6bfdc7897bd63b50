import type { Asked } from '../core/route.ts'
import { FORMATS } from '../config/formats.ts'
import { OVERRIDES, type Overrides } from '../config/overrides.ts'
import { DEAD_LETTERS_SWITCHES, DEAD_LETTERS_VALUED, readDeadLettersCommand, type DeadLettersCommand } from './dead-letters-arguments.ts'
import { asBytes, hint, readFlags } from './flags.ts'
import { KEYS_SWITCHES, KEYS_VALUED, readKeysCommand, type KeysCommand } from './keys-arguments.ts'

export interface Flags extends Overrides {
  readonly config?: string
}

export type Command =
  | { readonly kind: 'serve', readonly flags: Flags }
  | { readonly kind: 'check', readonly file: string, readonly flags: Overrides }
  | { readonly kind: 'explain', readonly asked: Asked, readonly flags: Flags }
  | { readonly kind: 'keys', readonly command: KeysCommand, readonly flags: Flags }
  | { readonly kind: 'keys-help' }
  | { readonly kind: 'dead-letters', readonly command: DeadLettersCommand, readonly flags: Flags }
  | { readonly kind: 'dead-letters-help' }
  | { readonly kind: 'migrate', readonly flags: Flags }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  /** nothing is done; one sentence for every mistake */
  | { readonly kind: 'wrong', readonly mistakes: readonly string[] }

export const HELP = `Usage: onceward [flags]             run the sidecar
       onceward check FILE [flags]  say whether a configuration is right
       onceward explain METHOD PATH [-H 'Name: value' ...] [flags]
                                    say which route such a request takes, and what becomes of it
       onceward keys VERB [flags]   look keys up, end doubts, take replies out; onceward keys --help
       onceward dead-letters VERB [flags]
                                    look events up that were given up, redrive or discard them; --help likewise
       onceward migrate [flags]     make or update the tables in store.postgres

  --config FILE      the configuration (ONCEWARD_CONFIG)
  --upstream URL     the service behind, such as http://127.0.0.1:3000 (ONCEWARD_UPSTREAM); enough without a file
  --listen ADDRESS   where clients connect, 127.0.0.1:8080 by default (ONCEWARD_LISTEN)
  --admin ADDRESS    where operators connect, 127.0.0.1:9901 by default (ONCEWARD_ADMIN)
  --data-dir DIR     where keys are kept, ./data by default (ONCEWARD_DATA_DIR)
  -h, --help         this text
  -v, --version      the version

A flag wins over its variable, and the variable over the file. docs/configuration.md has every field.
Exit codes: 0 right or drained, 1 explained or looked up and refused, 64 wrong flags, 69 could not start, 78 wrong configuration.`

const COMMANDS = ['check', 'explain', 'migrate', 'keys', 'dead-letters']
const VALUED = ['--config', ...OVERRIDES.map(({ flag }) => flag)]

/** Reads the arguments after the program's name. Every mistake is told, not only the first. */
export function parseArguments(argv: readonly string[]): Command {
  const { flags, fields, words, mistakes } = readFlags(argv, { valued: VALUED, switches: [] })
  if (words[0] === 'keys') return parseKeys(argv)
  if (words[0] === 'dead-letters') return parseDeadLetters(argv)
  if (flags.has('help')) return { kind: 'help' }
  if (flags.has('version')) return { kind: 'version' }
  return commandOf(words, flags, fields, mistakes)
}

function parseKeys(argv: readonly string[]): Command {
  const { flags, fields, words, mistakes } = readFlags(argv, { valued: ['--config', '--data-dir', ...KEYS_VALUED], switches: KEYS_SWITCHES })
  if (flags.has('help')) return { kind: 'keys-help' }
  const command = mistakes.length > 0 ? mistakes : readKeysCommand(words.slice(1), flags, fields)
  if ('length' in command) return { kind: 'wrong', mistakes: command }
  return { kind: 'keys', command, flags: storeFlags(flags) }
}

function parseDeadLetters(argv: readonly string[]): Command {
  const { flags, fields, words, mistakes } = readFlags(argv, { valued: ['--config', '--data-dir', ...DEAD_LETTERS_VALUED], switches: DEAD_LETTERS_SWITCHES })
  if (flags.has('help')) return { kind: 'dead-letters-help' }
  const command = mistakes.length > 0 ? mistakes : readDeadLettersCommand(words.slice(1), flags, fields)
  if ('length' in command) return { kind: 'wrong', mistakes: command }
  return { kind: 'dead-letters', command, flags: storeFlags(flags) }
}

/** What says which store is meant. */
function storeFlags(given: ReadonlyMap<string, string>): Flags {
  const [config, dataDir] = [given.get('config'), given.get('data-dir')]
  return { ...(config === undefined ? {} : { config }), ...(dataDir === undefined ? {} : { dataDir }) }
}

function commandOf(words: readonly string[], given: ReadonlyMap<string, string>, fields: readonly string[], found: readonly string[]): Command {
  // a word behind an unknown flag was probably its value, so nothing is said about words then
  if (found.length > 0) return { kind: 'wrong', mistakes: found }
  const [command, ...operands] = words
  const overrides: Overrides = Object.fromEntries(OVERRIDES.flatMap(({ name, flag }) => {
    const value = given.get(flag.slice(2))
    return value === undefined ? [] : [[name, value]]
  }))
  const config = given.get('config')
  const flags: Flags = config === undefined ? overrides : { ...overrides, config }
  if (command === 'explain') return explainOf(operands, fields, flags)
  if (fields.length > 0) return wrong('-H belongs to explain')
  if (command === undefined) return { kind: 'serve', flags }
  if (command === 'migrate') return operands.length === 0 ? { kind: 'migrate', flags } : wrong(`migrate takes no operands; ${operands.join(' ')} is too much`)
  const [file, ...more] = operands
  if (!COMMANDS.includes(command)) return wrong(`there is no command ${command}; ${hint(command, COMMANDS)}`)
  if (file === undefined) return wrong('check needs a FILE')
  if (more.length > 0) return wrong(`check takes one FILE; ${more.join(' ')} is too much`)
  return config === undefined ? { kind: 'check', file, flags: overrides } : wrong('check takes its FILE without --config')
}

function explainOf([method, target, ...more]: readonly string[], fields: readonly string[], flags: Flags): Command {
  if (method === undefined || target === undefined) return wrong('explain needs a METHOD and a PATH, such as explain POST /v1/charges')
  if (more.length > 0) return wrong(`explain takes one METHOD and one PATH; ${more.join(' ')} is too much`)
  const methods = FORMATS.get('http-method')
  if (methods?.accepts(method) !== true) return wrong(`${method} is no method; ${hint(method.toUpperCase(), ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])}`)
  return { kind: 'explain', asked: { method, target: asBytes(target), fields }, flags }
}

function wrong(mistake: string): Command {
  return { kind: 'wrong', mistakes: [mistake] }
}

import type { DeadLetterFilter } from '../core/outbox.ts'
import { hint } from './flags.ts'
import { Wanted, type Signature } from './wanted.ts'

export type DeadLettersCommand = { readonly json: boolean } & (
  | { readonly verb: 'list', readonly filter: DeadLetterFilter, readonly limit: number }
  | { readonly verb: 'show', readonly id: string, readonly payload: 'untold' | 'told' | { readonly file: string } }
  /** `limit` null: all that are there when it begins; `rate`: events a second */
  | { readonly verb: 'redrive', readonly filter: DeadLetterFilter, readonly limit: number | null, readonly rate: number, readonly signature: Signature }
  | { readonly verb: 'discard', readonly filter: DeadLetterFilter, readonly limit: number | null, readonly signature: Signature }
  | { readonly verb: 'audit', readonly limit: number }
)

export const DEAD_LETTERS_HELP = `Usage: onceward dead-letters list    [filters] [--limit N]
       onceward dead-letters show    --id ID [--payload | --payload-file FILE]
       onceward dead-letters redrive (filters | --all) --reason TEXT [--by NAME] [--rate N] [--limit N]
       onceward dead-letters discard (filters | --all) --reason TEXT [--by NAME] [--limit N]
       onceward dead-letters audit   [--limit N]

  list      events that were given up or could not be built, the oldest first
  show      one of them: its envelope, its cause and its last failures
  redrive   puts them back to their place in their lanes: THEY ARE DELIVERED AGAIN, and an earlier attempt may have arrived
  discard   deletes them: THEY ARE NEVER DELIVERED
  audit     what was changed here, the newest first: who, when, why

  --id ID  --sink SINK  --lane LANE  --type TYPE    filters: those that fit all of them
  --all              every one
  --rate N           events a second that are put back, 100 by default
  --payload          prints the payload, --payload-file writes it to a new file; it may hold personal data
  --config FILE      the configuration that names the store (ONCEWARD_CONFIG)
  --data-dir DIR     where keys are kept, ./data by default (ONCEWARD_DATA_DIR)
  --reason TEXT      why; kept with the change
  --by NAME          who; by default the name of the user that runs this
  --json             for programs

The embedded store belongs to one process: stop the sidecar first.
Exit codes: 0 done, 1 there is no such dead letter or nothing was changed, 64 wrong flags, 69 the store does not answer, 78 wrong configuration.`

const VERBS = ['list', 'show', 'redrive', 'discard', 'audit'] as const
type Verb = typeof VERBS[number]

const FILTERS = ['id', 'sink', 'lane', 'type'] as const

/** Which flags go with which verb; --json goes with all of them. */
const TAKES: Readonly<Record<Verb, readonly string[]>> = {
  list: [...FILTERS, 'limit'],
  show: ['id', 'payload', 'payload-file'],
  redrive: [...FILTERS, 'all', 'reason', 'by', 'rate', 'limit'],
  discard: [...FILTERS, 'all', 'reason', 'by', 'limit'],
  audit: ['limit'],
}

export const DEAD_LETTERS_VALUED = ['--id', '--sink', '--lane', '--type', '--limit', '--reason', '--by', '--rate', '--payload-file']
export const DEAD_LETTERS_SWITCHES = ['--json', '--all', '--payload']

/** As slow as a catch-up at its beginning, so that a redrive never is the flood that killed its events. */
const USUAL_RATE = 100
const HIGHEST_RATE = 10_000

/** A command, or everything that is wrong with it. */
export function readDeadLettersCommand(words: readonly string[], flags: ReadonlyMap<string, string>, fields: readonly string[]): DeadLettersCommand | readonly string[] {
  const [word, ...more] = words
  const verb = VERBS.find((known) => known === word)
  if (verb === undefined) return [word === undefined ? `dead-letters needs a verb; there is ${VERBS.join(', ')}` : `there is no dead-letters ${word}; ${hint(word, VERBS)}`]
  if (more.length > 0) return [`dead-letters ${verb} takes flags only; ${more.join(' ')} is too much`]
  const known = [...DEAD_LETTERS_VALUED, ...DEAD_LETTERS_SWITCHES].map((flag) => flag.slice(2)).filter((name) => name !== 'json')
  const given = [...[...flags.keys()].filter((name) => known.includes(name)), ...(fields.length > 0 ? ['header'] : [])]
  const mistakes = given.filter((name) => !TAKES[verb].includes(name)).map((name) => `--${name} does not belong to dead-letters ${verb}`)
  const command = commandOf(verb, new DeadLettersWanted(flags, mistakes), flags)
  return mistakes.length > 0 || command === null ? mistakes : command
}

function commandOf(verb: Verb, wanted: DeadLettersWanted, flags: ReadonlyMap<string, string>): DeadLettersCommand | null {
  const json = flags.has('json')
  switch (verb) {
    case 'list': return { verb, json, filter: wanted.filter(), limit: wanted.limit() }
    case 'audit': return { verb, json, limit: wanted.limit() }
    case 'show': {
      const [id, payload] = [wanted.id(), wanted.payload()]
      return id === null ? null : { verb, json, id, payload }
    }
    case 'redrive': case 'discard': {
      const [filter, signature, rate] = [wanted.meant(), wanted.signature(), wanted.rate()]
      const limit = flags.has('limit') ? wanted.limit() : null
      if (filter === null || signature === null) return null
      return verb === 'redrive' ? { verb, json, filter, limit, rate, signature } : { verb, json, filter, limit, signature }
    }
    default: return verb satisfies never
  }
}

class DeadLettersWanted extends Wanted {
  filter(): DeadLetterFilter {
    const [id = null, sink = null, lane = null, type = null] = FILTERS.map((name) => this.flags.get(name))
    return { id, sink, lane, type }
  }

  /** What is changed is spelled out: everything only by --all. */
  meant(): DeadLetterFilter | null {
    const isFiltered = FILTERS.some((name) => this.flags.has(name))
    if (isFiltered === this.flags.has('all')) return this.wrong(isFiltered ? '--all takes no filters' : '--id, --sink, --lane or --type says which ones, or --all')
    return this.filter()
  }

  id(): string | null {
    return this.flags.get('id') ?? this.wrong('--id ID says which one')
  }

  payload(): 'untold' | 'told' | { readonly file: string } {
    const file = this.flags.get('payload-file')
    if (file !== undefined && this.flags.has('payload')) this.mistakes.push('--payload prints it and --payload-file writes it; take one of them')
    if (file !== undefined) return { file }
    return this.flags.has('payload') ? 'told' : 'untold'
  }

  rate(): number {
    const text = this.flags.get('rate')
    if (text === undefined) return USUAL_RATE
    const rate = /^\d{1,6}$/.test(text) ? Number(text) : 0
    if (rate < 1 || rate > HIGHEST_RATE) this.mistakes.push(`--rate is a number from 1 to ${HIGHEST_RATE}`)
    return rate
  }
}

import { hint } from './flags.ts'
import { Wanted, type Signature } from './wanted.ts'

/** Which record is meant: by what the client sent, or by the name that replies, logs and lists give it. */
export type Selector = { readonly by: 'key', readonly key: string } | { readonly by: 'operation', readonly operationRef: string }

export type ResolutionWish =
  | { readonly as: 'not-executed' }
  /** `bodyFile` null: the reply is not known, so it is stored as one that was not kept */
  | { readonly as: 'completed', readonly status: number, readonly bodyFile: string | null, readonly fields: readonly string[] }

export type KeysCommand = { readonly json: boolean } & (
  | { readonly verb: 'get', readonly selector: Selector, readonly bodyFile: string | null }
  | { readonly verb: 'list', readonly state: 'uncertain' | 'in_flight' | 'accepted', readonly limit: number }
  | { readonly verb: 'evict' | 'forget', readonly selector: Selector, readonly signature: Signature }
  | { readonly verb: 'resolve', readonly selector: Selector, readonly signature: Signature, readonly resolution: ResolutionWish }
  | { readonly verb: 'audit', readonly limit: number }
)

export const KEYS_HELP = `Usage: onceward keys get     (--key KEY | --operation OP) [--body-file FILE]
       onceward keys list    --state uncertain|in_flight|accepted [--limit N]
       onceward keys resolve (--key KEY | --operation OP) --reason TEXT [--by NAME]
                             (--as not-executed | --as completed --status N [--body-file FILE [-H 'Name: value' ...]])
       onceward keys evict   (--key KEY | --operation OP) --reason TEXT [--by NAME]
       onceward keys forget  (--key KEY | --operation OP) --reason TEXT [--by NAME]
       onceward keys audit   [--limit N]

  get       what is known of a key; --body-file writes the body of its stored reply to a new file
  list      the keys in doubt, the oldest first, those that are being worked on, or accepted requests that wait for it
  resolve   ends a doubt: the operation ran, and this is its reply (without --body-file: its reply was not kept), or it never ran
            (one that was accepted waits again then, or is redriven: onceward dead-letters)
  evict     drops the stored reply of a completed key; the key stays completed
  forget    frees a key: THE NEXT REQUEST WITH IT RUNS; an accepted request is not executed any more
  audit     what was changed here, the newest first: who, when, why

  --config FILE      the configuration that names the store (ONCEWARD_CONFIG)
  --data-dir DIR     where keys are kept, ./data by default (ONCEWARD_DATA_DIR)
  --key KEY          the key as the client sent it; several clients may have sent the same one
  --operation OP     its name in replies (operation_ref), in the log (operationRef) and in these lists
  --reason TEXT      why; kept with the change
  --by NAME          who; by default the name of the user that runs this
  --json             for programs

The embedded store belongs to one process: stop the sidecar first.
Exit codes: 0 done, 1 there is no such key or nothing was changed, 64 wrong flags, 69 the store does not answer, 78 wrong configuration.`

const VERBS = ['get', 'list', 'resolve', 'evict', 'forget', 'audit'] as const
type Verb = typeof VERBS[number]

/** Which flags go with which verb; --json goes with all of them. */
const TAKES: Readonly<Record<Verb, readonly string[]>> = {
  get: ['key', 'operation', 'body-file'],
  list: ['state', 'limit'],
  resolve: ['key', 'operation', 'reason', 'by', 'as', 'status', 'body-file', 'header'],
  evict: ['key', 'operation', 'reason', 'by'],
  forget: ['key', 'operation', 'reason', 'by'],
  audit: ['limit'],
}

export const KEYS_VALUED = ['--key', '--operation', '--state', '--limit', '--reason', '--by', '--as', '--status', '--body-file']
export const KEYS_SWITCHES = ['--json']

/** A command, or everything that is wrong with it. */
export function readKeysCommand(words: readonly string[], flags: ReadonlyMap<string, string>, fields: readonly string[]): KeysCommand | readonly string[] {
  const [word, ...more] = words
  const verb = VERBS.find((known) => known === word)
  if (verb === undefined) return [word === undefined ? `keys needs a verb; there is ${VERBS.join(', ')}` : `there is no keys ${word}; ${hint(word, VERBS)}`]
  if (more.length > 0) return [`keys ${verb} takes flags only; ${more.join(' ')} is too much`]
  const mistakes: string[] = []
  const given = [...flags.keys(), ...(fields.length > 0 ? ['header'] : [])]
  for (const name of given) if (KEYS_VALUED.includes(`--${name}`) || name === 'header') if (!TAKES[verb].includes(name)) mistakes.push(`--${name} does not belong to keys ${verb}`)
  const wanted = new KeysWanted(flags, mistakes)
  const command = commandOf(verb, wanted, flags, fields)
  return mistakes.length > 0 || command === null ? mistakes : command
}

function commandOf(verb: Verb, wanted: KeysWanted, flags: ReadonlyMap<string, string>, fields: readonly string[]): KeysCommand | null {
  const json = flags.has('json')
  const bodyFile = flags.get('body-file') ?? null
  switch (verb) {
    case 'audit': return { verb, json, limit: wanted.limit() }
    case 'list': {
      const state = wanted.oneOf('state', ['uncertain', 'in_flight', 'accepted'])
      const limit = wanted.limit()
      return state === null ? null : { verb, json, state, limit }
    }
    case 'get': {
      const selector = wanted.selector()
      return selector === null ? null : { verb, json, selector, bodyFile }
    }
    case 'evict': case 'forget': {
      const [selector, signature] = [wanted.selector(), wanted.signature()]
      return selector === null || signature === null ? null : { verb, json, selector, signature }
    }
    case 'resolve': {
      const [selector, signature, resolution] = [wanted.selector(), wanted.signature(), wanted.resolution(bodyFile, fields)]
      return selector === null || signature === null || resolution === null ? null : { verb, json, selector, signature, resolution }
    }
    default: return verb satisfies never
  }
}

/** Reads what a verb needs. */
class KeysWanted extends Wanted {
  selector(): Selector | null {
    const [key, operationRef] = [this.flags.get('key'), this.flags.get('operation')]
    if (key !== undefined && operationRef !== undefined) return this.wrong('--key and --operation name the same thing; take one of them')
    if (key !== undefined) return key === '' ? this.wrong('--key needs a value') : { by: 'key', key }
    if (operationRef !== undefined) return { by: 'operation', operationRef }
    return this.wrong('--key KEY or --operation OP says which one')
  }

  resolution(bodyFile: string | null, fields: readonly string[]): ResolutionWish | null {
    const as = this.oneOf('as', ['completed', 'not-executed'])
    const status = this.flags.get('status')
    if (as === 'not-executed') {
      return status === undefined && bodyFile === null && fields.length === 0 ? { as } : this.wrong('what never ran has no reply: --status, --body-file and -H belong to --as completed')
    }
    if (as === null) return null
    if (status === undefined || !/^[2-5]\d\d$/.test(status)) return this.wrong('--as completed needs the --status of the reply, from 200 to 599')
    if (bodyFile === null && fields.length > 0) return this.wrong('-H needs --body-file: a reply is stored whole or not at all')
    return { as, status: Number(status), bodyFile, fields }
  }
}

import { userInfo } from 'node:os'
import type { Act } from '../core/record.ts'
import { hint } from './flags.ts'

/** `by` null: whoever runs the command. */
export interface Signature {
  readonly by: string | null
  readonly reason: string
}

export function actOf({ by, reason }: Signature): Act {
  return { by: by ?? userName(), reason }
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown' // a container's user need not have a name
  }
}

/** How many lines a list has if nobody says it, and at most: more are no list any more, but an export. */
const USUAL_LIMIT = 100
const LARGEST_LIMIT = 10_000

/** Longer words are no reason, but a paste. */
const LONGEST_REASON = 1000

/** Reads what the verbs of operators need; what is missing or wrong becomes a sentence, and the value null. */
export class Wanted {
  protected readonly flags: ReadonlyMap<string, string>
  protected readonly mistakes: string[]

  constructor(flags: ReadonlyMap<string, string>, mistakes: string[]) {
    this.flags = flags
    this.mistakes = mistakes
  }

  signature(): Signature | null {
    const reason = this.flags.get('reason')?.trim() ?? ''
    const by = this.flags.get('by')?.trim() ?? null
    if (by === '') this.mistakes.push('--by needs a name')
    if (reason === '') return this.wrong('--reason TEXT says why; it is kept with the change')
    return reason.length > LONGEST_REASON ? this.wrong(`--reason has at most ${LONGEST_REASON} characters`) : { by, reason }
  }

  oneOf<Value extends string>(name: string, values: readonly Value[]): Value | null {
    const given = this.flags.get(name)
    const value = values.find((known) => known === given)
    return value ?? this.wrong(given === undefined ? `--${name} ${values.join('|')} is needed` : `--${name} ${given} is not known; ${hint(given, values)}`)
  }

  limit(): number {
    const text = this.flags.get('limit')
    if (text === undefined) return USUAL_LIMIT
    const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0
    if (limit < 1 || limit > LARGEST_LIMIT) this.mistakes.push(`--limit is a number from 1 to ${LARGEST_LIMIT}`)
    return limit
  }

  protected wrong(mistake: string): null {
    this.mistakes.push(mistake)
    return null
  }
}

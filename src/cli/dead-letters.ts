import type { Environment } from '../config/substitute.ts'
import { OPERATIONS_SINK } from '../core/operations.ts'
import type { DeadLetter, DeadLetterFilter } from '../core/outbox.ts'
import type { OutboxStore } from '../core/outbox-ports.ts'
import type { Act } from '../core/record.ts'
import { systemClock } from '../host/clock.ts'
import type { Flags } from './arguments.ts'
import type { DeadLettersCommand } from './dead-letters-arguments.ts'
import { actJson, actTable, letterJson, letterLines, letterTable } from './dead-letters-output.ts'
import { EXIT, type Output } from './output.ts'
import { actOf } from './wanted.ts'
import { Declined, withStores, writeNewFile } from './with-stores.ts'

/** Steps a second in which a redrive puts events back. */
const STEPS_PER_SECOND = 10
/** Discarding is held to nothing but small transactions. */
const DISCARDS_AT_ONCE = 100

const ANY: DeadLetterFilter = { id: null, sink: null, lane: null, type: null }

/** Looks at dead letters and changes them, as operators do; every change is audited. Returns the exit code. */
export function deadLetters(command: DeadLettersCommand, flags: Flags, environment: Environment, output: Output): Promise<number> {
  return withStores(flags, environment, output, 'onceward dead-letters audit', ({ outbox }) => perform(command, outbox, output))
}

async function perform(command: DeadLettersCommand, outbox: OutboxStore, output: Output): Promise<number> {
  const say = (text: string, json: object): number => {
    output.line(command.json ? JSON.stringify(json, null, 2) : text)
    return EXIT.ok
  }
  switch (command.verb) {
    case 'list': {
      const found = await outbox.deadLetters(command.filter, command.limit + 1, null)
      const letters = found.slice(0, command.limit)
      if (found.length > letters.length) output.complaint(`there are more than these ${letters.length}; --limit shows more`)
      return say(letters.length === 0 ? 'there are no such dead letters' : letterTable(letters).join('\n'), letters.map(letterJson))
    }
    case 'show': {
      const [letter] = await outbox.deadLetters({ ...ANY, id: command.id }, 1, null)
      if (letter === undefined) throw new Declined(`no dead letter has the id ${command.id}`)
      if (letter.sink === OPERATIONS_SINK && command.payload !== 'untold') throw new Declined('what was accepted is stored with the credential of its client, and is shown to nobody')
      if (typeof command.payload === 'object') await writeNewFile(command.payload.file, letter.payload)
      const payload = command.payload === 'told' ? Buffer.from(letter.payload).toString('utf8') : null
      return say([...letterLines(letter), ...(payload === null ? [] : ['', payload])].join('\n'), { ...letterJson(letter), ...(payload === null ? {} : { payload }) })
    }
    case 'audit': {
      const acts = await outbox.audit(command.limit)
      return say(acts.length === 0 ? 'nothing was changed here' : actTable(acts).join('\n'), acts.map(actJson))
    }
    case 'redrive': {
      const { filter, limit, rate, signature } = command
      output.complaint('what is redriven may arrive twice: an earlier attempt may have been taken, and receivers tell it by its id only (SQS forgets ids after 5 minutes)')
      const act = actOf(signature)
      const done = await eachStep(outbox, filter, limit ?? Infinity, stepOf(rate), async (letter) => !letter.unbuilt && (await outbox.redrive({ ...ANY, id: letter.id }, 1, act)).redriven === 1)
      const unbuilt = done.left.filter((letter) => letter.unbuilt)
      if (unbuilt.length > 0) output.complaint(`could never be built, and left where they are: ${unbuilt.map(({ id }) => id).join(', ')}`)
      if (done.changed === 0) throw new Declined('there are no such dead letters to redrive')
      return say(`${done.changed} put back to their lanes`, { done: 'redrive', redriven: done.changed, unbuilt: unbuilt.map(({ id }) => id) })
    }
    case 'discard': {
      const { filter, limit, signature } = command
      const act: Act = actOf(signature)
      const { changed } = await eachStep(outbox, filter, limit ?? Infinity, { events: DISCARDS_AT_ONCE, everyMs: 0 }, async ({ id }) => await outbox.discard({ ...ANY, id }, 1, act) === 1)
      if (changed === 0) throw new Declined('there are no such dead letters')
      return say(`${changed} discarded`, { done: 'discard', discarded: changed })
    }
    default: return command satisfies never
  }
}

interface Pace {
  readonly events: number
  readonly everyMs: number
}

function stepOf(rate: number): Pace {
  const events = Math.ceil(rate / STEPS_PER_SECOND)
  return { events, everyMs: events * 1000 / rate }
}

/**
 * Each letter that fits, once: from the oldest on by their rows, so that one that dies again meanwhile is not met a second time and
 * the end is reached, whatever the relay does.
 */
async function eachStep(outbox: OutboxStore, filter: DeadLetterFilter, limit: number, pace: Pace, change: (letter: DeadLetter) => Promise<boolean>): Promise<{ readonly changed: number, readonly left: readonly DeadLetter[] }> {
  const clock = systemClock()
  const left: DeadLetter[] = []
  let [changed, seen]: [number, number] = [0, 0]
  let after: number | null = null
  while (seen < limit) {
    const startedMs = clock.monotonicMs()
    const letters: readonly DeadLetter[] = await outbox.deadLetters(filter, Math.min(pace.events, limit - seen), after)
    if (letters.length === 0) break
    const changes = await Promise.all(letters.map(change))
    changed += changes.filter(Boolean).length
    left.push(...letters.filter((_, place) => changes[place] === false))
    seen += letters.length
    after = letters.at(-1)?.row ?? null
    const restMs = startedMs + pace.everyMs - clock.monotonicMs()
    if (restMs > 0 && letters.length === pace.events) await new Promise<void>((resolve) => { clock.after(restMs, resolve) })
  }
  return { changed, left }
}

import type { Environment } from '../config/substitute.ts'
import { Declined } from '../core/declined.ts'
import { OPERATIONS_SINK } from '../core/operations.ts'
import type { OutboxStore } from '../core/outbox-ports.ts'
import { actJson, letterJson } from '../core/shown.ts'
import { systemClock } from '../host/clock.ts'
import { LetterDesk } from '../upkeep/letter-desk.ts'
import type { Flags } from './arguments.ts'
import type { DeadLettersCommand } from './dead-letters-arguments.ts'
import { actTable, letterLines, letterTable } from './dead-letters-output.ts'
import { EXIT, type Output } from './output.ts'
import { actOf } from './wanted.ts'
import { withStores, writeNewFile } from './with-stores.ts'

/** Looks at dead letters and changes them, as operators do; every change is audited. Returns the exit code. */
export function deadLetters(command: DeadLettersCommand, flags: Flags, environment: Environment, output: Output): Promise<number> {
  return withStores(flags, environment, output, 'onceward dead-letters audit', ({ outbox }) => perform(command, outbox, new LetterDesk(outbox, systemClock()), output))
}

async function perform(command: DeadLettersCommand, outbox: OutboxStore, desk: LetterDesk, output: Output): Promise<number> {
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
      const letter = await desk.get(command.id)
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
      const { redriven, unbuilt } = await desk.redrive({ filter, limit: limit ?? Infinity }, rate, actOf(signature))
      if (unbuilt.length > 0) output.complaint(`could never be built, and left where they are: ${unbuilt.join(', ')}`)
      if (redriven === 0) throw new Declined('there are no such dead letters to redrive')
      return say(`${redriven} put back to their lanes`, { done: 'redrive', redriven, unbuilt })
    }
    case 'discard': {
      const { filter, limit, signature } = command
      const changed = await desk.discard({ filter, limit: limit ?? Infinity }, actOf(signature))
      if (changed === 0) throw new Declined('there are no such dead letters')
      return say(`${changed} discarded`, { done: 'discard', discarded: changed })
    }
    default: return command satisfies never
  }
}

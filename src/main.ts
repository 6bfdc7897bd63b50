import { HELP, parseArguments } from './cli/arguments.ts'
import { check } from './cli/check.ts'
import { deadLetters } from './cli/dead-letters.ts'
import { DEAD_LETTERS_HELP } from './cli/dead-letters-arguments.ts'
import { explain } from './cli/explain.ts'
import { keys } from './cli/keys.ts'
import { KEYS_HELP } from './cli/keys-arguments.ts'
import { migrateStore } from './cli/migrate.ts'
import { CONSOLE, EXIT, readVersion } from './cli/output.ts'
import { serve } from './cli/serve.ts'

/** The process's entry, called by onceward.js with the arguments after the program's name. */
export async function main(argv: readonly string[]): Promise<void> {
  const command = parseArguments(argv)
  switch (command.kind) {
    case 'serve':
      await serve(command.flags, process.env, CONSOLE)
      return
    case 'check':
      process.exitCode = await check(command.file, command.flags, process.env, CONSOLE)
      return
    case 'explain':
      process.exitCode = await explain(command.asked, command.flags, process.env, CONSOLE)
      return
    case 'keys':
      process.exitCode = await keys(command.command, command.flags, process.env, CONSOLE)
      return
    case 'keys-help':
      CONSOLE.line(KEYS_HELP)
      return
    case 'dead-letters':
      process.exitCode = await deadLetters(command.command, command.flags, process.env, CONSOLE)
      return
    case 'dead-letters-help':
      CONSOLE.line(DEAD_LETTERS_HELP)
      return
    case 'migrate':
      process.exitCode = await migrateStore(command.flags, process.env, CONSOLE)
      return
    case 'help':
      CONSOLE.line(HELP)
      return
    case 'version':
      CONSOLE.line(readVersion())
      return
    case 'wrong':
      for (const mistake of command.mistakes) CONSOLE.complaint(`onceward: ${mistake}`)
      CONSOLE.complaint('onceward --help shows what there is')
      process.exitCode = EXIT.usage
      return
    default:
      command satisfies never
  }
}

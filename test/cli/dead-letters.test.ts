import { existsSync, readFileSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { parseArguments } from '../../src/cli/arguments.ts'
import { deadLetters } from '../../src/cli/dead-letters.ts'
import { EXIT } from '../../src/cli/output.ts'
import type { OutboxEvent } from '../../src/core/event.ts'
import type { Stores } from '../../src/core/outbox-ports.ts'
import { systemClock } from '../../src/host/clock.ts'
import { openEmbeddedStores } from '../../src/store/sqlite/key-store.ts'
import { buried, committing, event, led, taken } from '../contract/outbox/situation.ts'
import { HeldClock } from '../contract/situation.ts'
import { run } from '../support/run-onceward.ts'

interface Desk {
  readonly folder: string
  readonly ask: (...words: string[]) => Promise<{ readonly code: number, readonly said: string, readonly complained: string }>
  /** while nobody else has the store */
  readonly within: <T>(work: (stores: Stores) => Promise<T>) => Promise<T>
}

async function desk(t: Test, ...dead: readonly OutboxEvent[]): Promise<Desk> {
  const folder = t.testdir({ data: {} })
  const dataDir = join(folder, 'data')
  const within: Desk['within'] = async (work) => {
    const stores = await openEmbeddedStores({ dataDir, clock: systemClock() })
    return await work(stores).finally(() => stores.keys.close())
  }
  await within(async ({ keys, outbox }) => {
    const lead = await led(outbox)
    const commit = committing(keys)
    for (const letter of dead) {
      if (letter.flaw === null) await buried({ outbox, commit, clock: new HeldClock(), close: () => Promise.resolve() }, lead, letter, false)
      else await commit(letter)
    }
  })
  return {
    folder,
    within,
    async ask(...words) {
      const command = parseArguments(['dead-letters', ...words, '--data-dir', dataDir])
      if (command.kind !== 'dead-letters') throw new Error(JSON.stringify(command))
      const [lines, complaints]: [string[], string[]] = [[], []]
      const code = await deadLetters(command.command, command.flags, {}, { line: (text) => void lines.push(text), complaint: (text) => void complaints.push(text) })
      return { code, said: lines.join('\n'), complained: complaints.join('\n') }
    },
  }
}

const BECAUSE = ['--reason', 'ticket 7', '--by', 'ada']
const UNBUILT = event('u1', { flaw: 'the reply has no /customer' })

test('dead letters are listed by filter, oldest first, and a list says that there is more', async (t) => {
  const { ask } = await desk(t, event('a1'), event('b1', { type: 'charge.refunded' }), UNBUILT)
  const lines = (await ask('list')).said.split('\n')
  t.match(lines[0], /^ID +SINK +LANE +TYPE +DEAD SINCE +ATTEMPTS +LANE IS +CAUSE$/)
  t.match(lines.slice(1), [/^a1 .* 1 +open +status 422$/, /^b1 /, /^u1 .* unbuilt +open +the reply has no \/customer$/])
  t.match(await ask('list', '--type', 'charge.refunded'), { code: EXIT.ok, said: /^ID.*\nb1 [^\n]*$/ })
  t.match(await ask('list', '--lane', 'nobody'), { code: EXIT.ok, said: 'there are no such dead letters' })
  t.match(await ask('list', '--limit', '2'), { complained: /more than these 2/ })
  t.match(JSON.parse((await ask('list', '--id', 'a1', '--json')).said), [{ id: 'a1', sink: 'payments', lane: 'a', attempts: 1, cause: 'status 422', unbuilt: false, payload_bytes: 11 }])
})

test('a request that was accepted is shown without what its client sent, whoever asks for it', async (t) => {
  const { ask, folder } = await desk(t, event('op_1', { sink: 'operations', payload: Buffer.from('authorization: Bearer s3cret'), flaw: 'given up' }))
  const shown = await ask('show', '--id', 'op_1')
  t.match(shown, { code: EXIT.ok, said: /^id +op_1\nsink +operations\n/ })
  const file = join(folder, 'payload')
  for (const words of [['--payload'], ['--payload', '--json'], ['--payload-file', file]]) {
    const declined = await ask('show', '--id', 'op_1', ...words)
    t.not(declined.code, EXIT.ok)
    t.notMatch(JSON.stringify([declined, shown]), 's3cret')
  }
  t.equal(existsSync(file), false)
})

test('one is shown with its history, and its payload only to who asks for it', async (t) => {
  const { ask, folder } = await desk(t, event('a1', { payload: Buffer.from('{"secret":"\u00fc"}') }))
  const shown = await ask('show', '--id', 'a1')
  t.match(shown, { code: EXIT.ok, said: /^id +a1\nsink +payments\n[^]*cause +status 422\npayload +15 bytes\nfailed +\S+Z {2}status 422$/ })
  for (const more of [[], ['--json']]) t.notMatch((await ask('show', '--id', 'a1', ...more)).said, /secret/)
  t.match((await ask('show', '--id', 'a1', '--payload')).said, /\n\n\{"secret":"\u00fc"\}$/)
  t.match(JSON.parse((await ask('show', '--id', 'a1', '--payload', '--json')).said), { payload: '{"secret":"\u00fc"}', history: [{ cause: 'status 422', at: /Z$/ }] })
  const file = join(folder, 'payload')
  t.notMatch((await ask('show', '--id', 'a1', '--payload-file', file)).said, /secret/)
  t.equal(readFileSync(file, 'utf8'), '{"secret":"\u00fc"}')
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.match(await ask('show', '--id', 'a1', '--payload-file', file), { code: EXIT.refused, complained: /EEXIST/ })
  t.match(await ask('show', '--id', 'zzz'), { code: EXIT.refused, said: '', complained: /no dead letter has the id zzz/ })
})

test('a redrive says what it may do, puts back what fits, and names what could never be built', async (t) => {
  const { ask, within } = await desk(t, event('a1'), UNBUILT, event('b1'), event('a2'))
  const redriven = await ask('redrive', '--lane', 'a', ...BECAUSE)
  t.match(redriven, { code: EXIT.ok, said: '2 put back to their lanes', complained: /may arrive twice.*SQS forgets ids after 5 minutes/ })
  t.strictSame(await within(({ outbox }) => taken(outbox)), ['a1', 'a2'])
  const rest = await ask('redrive', '--all', '--json', ...BECAUSE)
  t.match(JSON.parse(rest.said), { done: 'redrive', redriven: 1, unbuilt: ['u1'] })
  t.match(rest.complained, /could never be built, and left where they are: u1$/)
  t.match(await ask('redrive', '--all', ...BECAUSE), { code: EXIT.refused, said: '', complained: /u1\nonceward: there are no such dead letters to redrive/ })
})

test('a redrive is paced, and takes no more than it was told to', async (t) => {
  const { ask, within } = await desk(t, ...Array.from({ length: 12 }, (_, n) => event(`e${String(n).padStart(2, '0')}`)))
  const startedMs = systemClock().monotonicMs()
  t.match(await ask('redrive', '--all', '--rate', '20', '--limit', '9', ...BECAUSE), { said: '9 put back to their lanes' })
  t.ok(systemClock().monotonicMs() - startedMs >= 390, 'twenty a second are two in each tenth')
  t.strictSame((await within(({ outbox }) => taken(outbox))).length, 9)
})

test('what is discarded is gone, unbuilt or not', async (t) => {
  const { ask } = await desk(t, event('a1'), UNBUILT, event('b1'))
  t.match(await ask('discard', '--id', 'a1', ...BECAUSE), { code: EXIT.ok, said: '1 discarded' })
  t.match(await ask('discard', '--id', 'a1', ...BECAUSE), { code: EXIT.refused, complained: /no such dead letters/ })
  t.match(await ask('discard', '--all', ...BECAUSE), { said: '2 discarded' })
  t.match(await ask('list'), { said: 'there are no such dead letters' })
})

test('every change is audited, the newest first', async (t) => {
  const { ask } = await desk(t, event('a1'), event('b1'))
  t.match(await ask('audit'), { code: EXIT.ok, said: 'nothing was changed here' })
  await ask('redrive', '--id', 'a1', '--by', 'ada', '--reason', 'fixed\u001b[31m there')
  await ask('discard', '--id', 'b1', '--reason', 'second')
  const { said } = await ask('audit')
  t.match(said.split('\n').slice(1), [new RegExp(`Z {2}discard +b1 +payments +b +status 422 +${userInfo().username} +second$`), /Z {2}redrive +a1 .* ada +fixed \[31m there$/])
  t.match(JSON.parse((await ask('audit', '--limit', '1', '--json')).said), [{ verb: 'discard', event: 'b1', sink: 'payments', lane: 'b', type: 'charge.created', cause: 'status 422', reason: 'second', at: /Z$/ }])
})

test('what is changed has to be spelled out', (t) => {
  const mistakes = (...words: string[]): readonly string[] => {
    const command = parseArguments(['dead-letters', ...words])
    return command.kind === 'wrong' ? command.mistakes : []
  }
  t.match(mistakes(), [/needs a verb; there is list, show, redrive, discard, audit/])
  t.match(mistakes('lst'), [/there is no dead-letters lst; did you mean list/])
  t.match(mistakes('redrive', '--reason', 'r'), [/or --all$/])
  t.match(mistakes('discard', '--all', '--lane', 'a', '--reason', 'r'), [/--all takes no filters/])
  t.match(mistakes('redrive', '--all'), [/--reason TEXT says why/])
  t.match(mistakes('redrive', '--all', '--reason', 'r', '--rate', '0'), [/--rate is a number from 1 to 10000/])
  t.match(mistakes('show'), [/--id ID says which one/])
  t.match(mistakes('show', '--id', 'a', '--payload', '--payload-file', 'f'), [/take one of them/])
  t.match(mistakes('list', '--all', '--rate', '3'), [/--all does not belong to dead-letters list/, /--rate does not belong/])
  t.match(mistakes('audit', 'now'), [/takes flags only/])
  t.match(mistakes('audit', '--limit', 'x'), [/--limit is a number/])
  t.end()
})

test('the command is there: its help, its exit codes, and no store is begun', async (t) => {
  const folder = t.testdir({})
  t.match(await run(t, ['dead-letters', '--help']).ended, { code: EXIT.ok, output: /^Usage: onceward dead-letters list/ })
  t.match(await run(t, ['dead-letters', 'discard', '--all']).ended, { code: EXIT.usage, output: /--reason TEXT/ })
  t.match(await run(t, ['dead-letters', 'list', '--data-dir', join(folder, 'nowhere')]).ended, { code: EXIT.unavailable, output: /there is no key store at .*nowhere/ })
})

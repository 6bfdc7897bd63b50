import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'tap'
import { keptReply, readable, request } from '../contract/situation.ts'
import { folderOf, open, replayOf } from './folder.ts'

const LOAD = join(import.meta.dirname, 'load-process.ts')

interface Told {
  readonly claimed: Set<string>
  readonly completed: Set<string>
}

/** Runs the load until it has written so many lines, kills it in the middle of its work, and collects what it was told. */
async function killAfter(lines: number, dataDir: string, round: string, told: Told): Promise<void> {
  const load = spawn(process.execPath, [LOAD, dataDir, round], { stdio: ['ignore', 'pipe', 'inherit'] })
  let seen = 0
  const output = createInterface(load.stdout)
  output.on('line', (line) => {
    const [what, name = ''] = line.split(' ')
    if (what === 'claimed') told.claimed.add(name)
    if (what === 'completed') told.completed.add(name)
    seen += 1
    if (seen === lines) load.kill('SIGKILL')
  })
  const [[, signal]] = await Promise.all([once(load, 'exit'), once(output, 'close')])
  if (signal !== 'SIGKILL') throw new Error('the load ended by itself')
}

test('everything that was acknowledged before kill -9 is there afterwards', async (t) => {
  const dataDir = folderOf(t)
  const told: Told = { claimed: new Set(), completed: new Set() }
  for (const [round, lines] of [1, 37, 400, 3000].entries()) {
    await killAfter(lines, dataDir, String(round), told)
    const store = await open(dataDir)
    for (const name of told.completed) t.strictSame(await replayOf(store, name), readable(keptReply(`reply of ${name}`)))
    for (const name of told.claimed) {
      const { kind } = await store.claim(request(name, 'asks again'))
      t.ok(kind === 'busy' || kind === 'replay', `${name} was claimed, and is ${kind}`)
    }
    await store.close()
  }
  t.ok(told.completed.size > 1000)
})

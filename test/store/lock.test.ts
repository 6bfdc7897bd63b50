import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { request } from '../contract/situation.ts'
import { folderOf, open, refusal, replayOf, settle } from './folder.ts'

const OWNER = join(import.meta.dirname, 'owner-process.ts')

async function startOwner(dataDir: string): Promise<ChildProcess> {
  const owner = spawn(process.execPath, [OWNER, dataDir], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(owner.stdout, 'data')
  return owner
}

test('a second process is told who has the database, and the first is not disturbed', async (t) => {
  const dataDir = folderOf(t)
  const owner = await startOwner(dataDir)
  const told = await refusal(dataDir)
  t.match(told, `${dataDir}/onceward.db is in use by `)
  if (existsSync('/proc/locks')) t.match(told, `process ${owner.pid};`)
  owner.stdin?.end()
  const [code] = await once(owner, 'exit')
  t.equal(code, 0, 'the owner settled its key and closed')
  const store = await open(dataDir)
  t.match(await replayOf(store, 'owned'), { status: 201 })
  await store.close()
})

test('a process that was killed leaves no lock behind', async (t) => {
  const dataDir = folderOf(t)
  const owner = await startOwner(dataDir)
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  const store = await open(dataDir)
  t.match(await store.claim(request('owned', '2')), { kind: 'busy' }, 'but what it was answered is there')
  await store.close()
})

test('of ten that start at once one owns the database', async (t) => {
  const dataDir = folderOf(t)
  const started = await Promise.allSettled(Array.from({ length: 10 }, () => open(dataDir)))
  const stores = started.flatMap((start) => start.status === 'fulfilled' ? [start.value] : [])
  const refusals = started.flatMap((start) => start.status === 'rejected' ? [String(start.reason)] : [])
  t.equal(stores.length, 1)
  for (const told of refusals) t.match(told, /is in use by/)
  for (const store of stores) {
    await settle(store, ['a'])
    await store.close()
  }
  const again = await open(dataDir)
  t.match(await replayOf(again, 'a'), { status: 201 })
  await again.close()
})

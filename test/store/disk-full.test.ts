import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { StoreUnavailable, type KeyStore } from '../../src/core/ports.ts'
import { claimed, completion, request } from '../contract/situation.ts'
import { folderOf, open, replayOf, settle, unavailability } from './folder.ts'

const BALLAST_BYTES = 1024 * 1024
const REPLY = 'x'.repeat(20_000)

/** A disk of 4 MB; undefined where this process may not mount one, which counts as a failure where everything is required. */
function smallDisk(t: Test): string | undefined {
  const disk = join(folderOf(t), 'disk')
  mkdirSync(disk)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'onceward-test', disk], { stdio: 'pipe' })
  } catch (error) {
    if (process.env['ONCEWARD_REQUIRE'] === 'all') t.fail('a tmpfs of 4 MB could not be mounted', { error: String(error) })
    else t.pass('NOT TESTED: a full disk. Mounting a tmpfs of 4 MB needs root.')
    return undefined
  }
  t.teardown(() => execFileSync('umount', ['--lazy', disk]))
  return disk
}

/** Settles one key after the other until the disk is full; returns those that were acknowledged. */
async function fill(store: KeyStore, name: string): Promise<{ readonly settled: string[], readonly refused: StoreUnavailable }> {
  const settled: string[] = []
  for (let n = 0; n < 1000; n += 1) {
    try {
      const claim = await claimed(store, request(`${name}-${n}`, '1'))
      await store.complete(claim, completion(REPLY))
      settled.push(`${name}-${n}`)
    } catch (error) {
      if (error instanceof StoreUnavailable) return { settled, refused: error }
      throw error
    }
  }
  throw new Error('4 MB never filled up')
}

test('a full disk is "not written", what is stored is still replayed, and room heals it', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return
  const ballast = join(disk, 'ballast')
  writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES))
  const store = await open(join(disk, 'data'))
  const { settled, refused } = await fill(store, 'first')
  t.equal(refused.written, 'no')
  t.match(refused.message, /full/)
  t.ok(settled.length > 20, `${settled.length} keys fit`)
  for (const name of settled) t.match(await replayOf(store, name), { status: 201 })

  const mixed = await Promise.allSettled([
    store.claim(request('first-0', 'asks again')),
    ...Array.from({ length: 40 }, (_, n) => store.claim(request(`big-${n}`, '1', { spec: REPLY }))),
    store.claim(request('first-1', 'asks again')),
  ])
  for (const answered of [mixed.at(0), mixed.at(-1)]) t.match(answered, { status: 'fulfilled', value: { kind: 'replay' } }, 'in the middle of a batch that does not fit')
  t.ok(mixed.some(({ status }) => status === 'rejected'))

  rmSync(ballast)
  const { settled: more } = await fill(store, 'second')
  t.ok(more.length > 5, `${more.length} keys more, without a restart`)
  for (const name of [...settled, ...more]) t.match(await replayOf(store, name), { status: 201 })
  await store.close()
})

test('a claim that did not fit was not made', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return
  const ballast = join(disk, 'ballast')
  writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES))
  const store = await open(join(disk, 'data'))
  await fill(store, 'first')
  const wish = request('did not fit', '1', { spec: 'x'.repeat(4_000_000) })
  t.equal((await unavailability(store.claim(wish))).written, 'no')
  rmSync(ballast)
  t.strictSame(await store.find({ id: wish.id }, 1), [])
  t.match(await store.claim(request('did not fit', '2')), { kind: 'claimed', recovering: false })
  await store.close()
})

test('what was acknowledged on a full disk is there after a restart with room', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return
  const ballast = join(disk, 'ballast')
  writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES))
  const store = await open(join(disk, 'data'))
  const { settled } = await fill(store, 'first')
  const copy = join(folderOf(t), 'crashed')
  execFileSync('cp', ['-r', join(disk, 'data'), copy])
  await store.close()
  for (const dataDir of [join(disk, 'data'), copy]) {
    if (dataDir.startsWith(disk)) rmSync(ballast)
    const again = await open(dataDir)
    for (const name of settled) t.match(await replayOf(again, name), { status: 201 })
    await settle(again, [`after ${dataDir}`])
    await again.close()
  }
})

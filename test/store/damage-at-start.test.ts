import { statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { examine, examineAll, ROUNDS, SEED } from './damaged.ts'
import { copyFolder, folderOf } from './folder.ts'
import { inhabit } from './inhabited.ts'
import { flip, FRAME_HEADER_BYTES, LOG_HEADER_BYTES, PAGE_BYTES, pagesByKind, seeded, spotsOn } from './pages.ts'

test('a flipped byte on any page of a file that is read through at the start', async (t) => {
  const pristine = join(folderOf(t), 'data')
  const { store, acknowledged } = await inhabit(pristine)
  await store.close()
  const database = join(pristine, 'onceward.db')
  const below = seeded(SEED + 1)
  const spots = [...pagesByKind(database)].flatMap(([kind, pages]) => spotsOn(kind, pages, database, ROUNDS, below).slice(1, 2 * ROUNDS))
  await examineAll(t, pristine, 'onceward.db', spots, Infinity, acknowledged)
})

test('a flipped byte in the log of a store that crashed', async (t) => {
  const folder = folderOf(t)
  const [data, crashed] = [join(folder, 'data'), join(folder, 'crashed')]
  const { store, acknowledged } = await inhabit(data)
  copyFolder(data, crashed)
  await store.close()
  const frames = (statSync(join(crashed, 'onceward.db-wal')).size - LOG_HEADER_BYTES) / (FRAME_HEADER_BYTES + PAGE_BYTES)
  t.ok(Number.isInteger(frames) && frames > 50, `${frames} frames`)

  const below = seeded(SEED)
  const frame = (): number => LOG_HEADER_BYTES + below(frames) * (FRAME_HEADER_BYTES + PAGE_BYTES)
  const parts: Record<string, () => number> = {
    'the header': () => below(LOG_HEADER_BYTES),
    'a frame header': () => frame() + below(FRAME_HEADER_BYTES),
    'a page in a frame': () => frame() + FRAME_HEADER_BYTES + below(PAGE_BYTES),
  }
  for (const [part, offset] of Object.entries(parts)) {
    await t.test(`in ${part}`, async (suite) => {
      const spots = Array.from({ length: 5 * ROUNDS }, () => ({ offset: offset(), mask: 1 + below(255) }))
      await examineAll(suite, crashed, 'onceward.db-wal', spots, 0, acknowledged)
    })
  }
})

test('a flipped byte in the witness refuses the start', async (t) => {
  const folder = folderOf(t)
  const { store, acknowledged } = await inhabit(join(folder, 'data'))
  await store.close()
  const witness = join(folder, 'data', 'onceward.witness')
  const below = seeded(SEED)
  for (let n = 0; n < 5 * ROUNDS; n += 1) {
    const spot = { offset: below(statSync(witness).size), mask: 1 + below(255) }
    flip(witness, spot)
    t.equal(await examine(join(folder, 'data'), 0, acknowledged), 'refused', `byte ${spot.offset} ^ ${spot.mask}`)
    flip(witness, spot)
  }
  t.match(await examine(join(folder, 'data'), 0, acknowledged), { guesses: [], unavailable: 0 }, 'and mended, it starts')
})

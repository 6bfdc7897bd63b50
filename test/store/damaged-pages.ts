import { join } from 'node:path'
import type { Test } from 'tap'
import { examine, examineAll, ROUNDS, SEED } from './damaged.ts'
import { copyFolder, folderOf } from './folder.ts'
import { inhabit } from './inhabited.ts'
import { pagesByKind, seeded, spotsOn } from './pages.ts'

/* Flipped bytes on the pages of a database, kind by kind: half of the kinds in a file, because all of them take minutes on a busy machine. */

const INDEXES = ['key_by_id', 'key_by_id_again', 'key_by_digest', 'key_by_operation', 'in_flight_by_id', 'uncertain_by_since', 'completed_by_retention']

export const OF_KEYS = new RegExp(`^(?:key_record|${INDEXES.join('|')}) `)

const EXPECTED_KINDS = [
  'header', 'schema', 'freelist trunk', 'freelist leaf',
  'key_record leaf', 'key_record internal', 'key_record overflow',
  ...INDEXES.flatMap((name) => [`${name} leaf`, `${name} internal`]),
  'outbox_event leaf', 'outbox_event internal', 'ledger leaf', 'installation leaf', 'migration leaf',
]

/** Nothing reads these yet; a few flips show that writing over them fails no key. */
const NOT_ASKED_ABOUT = /outbox_event|shadow_key|sqlite_sequence|migration/

export async function damagePages(t: Test, wanted: (kind: string) => boolean): Promise<void> {
  const folder = folderOf(t)
  const { store, acknowledged } = await inhabit(join(folder, 'data'))
  await store.close()
  const pristine = join(folder, 'data')
  const database = join(pristine, 'onceward.db')
  const kinds = pagesByKind(database)
  t.strictSame(EXPECTED_KINDS.filter((kind) => (kinds.get(kind) ?? []).length === 0), [], 'there are pages of every kind')
  copyFolder(pristine, join(folder, 'whole'))
  t.match(await examine(join(folder, 'whole'), Infinity, acknowledged), { guesses: [], unavailable: 0 }, 'whole, everything is answered')

  const below = seeded(SEED)
  for (const [kind, pages] of [...kinds].filter(([name]) => wanted(name))) {
    await t.test(`on a page of kind "${kind}", in a file too large to be read through at the start`, async (suite) => {
      const spots = spotsOn(kind, pages, database, ROUNDS, below)
      await examineAll(suite, pristine, 'onceward.db', NOT_ASKED_ABOUT.test(kind) ? spots.slice(0, ROUNDS) : spots, 0, acknowledged)
    })
  }
}

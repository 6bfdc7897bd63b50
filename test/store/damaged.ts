import { join } from 'node:path'
import type { Test } from 'tap'
import { StoreUnavailable } from '../../src/core/ports.ts'
import { copyFolder, folderOf, open } from './folder.ts'
import { interrogate, type Acknowledged, type Verdict } from './inhabited.ts'
import { flip, type Spot } from './pages.ts'

/*
 * One flipped byte, in each kind of page of the database and in each part of its log. The right answers are the
 * acknowledged one, or none: a start that is refused, or StoreUnavailable (which the proxy makes a 503).
 *
 * ONCEWARD_DAMAGE_SEED and ONCEWARD_DAMAGE_ROUNDS look in other places, and in more of them.
 */

export const SEED = Number(process.env['ONCEWARD_DAMAGE_SEED'] ?? 20260301)
export const ROUNDS = Number(process.env['ONCEWARD_DAMAGE_ROUNDS'] ?? 1)

/** Opens a damaged copy; 'refused', or what it answered. */
export async function examine(dataDir: string, quickCheckUpToBytes: number, acknowledged: Acknowledged): Promise<Verdict | 'refused'> {
  try {
    const store = await open(dataDir, quickCheckUpToBytes)
    try {
      return await interrogate(store, acknowledged)
    } finally {
      await store.close()
    }
  } catch (error) {
    if (error instanceof StoreUnavailable) return 'refused'
    throw error
  }
}

export async function examineAll(t: Test, pristine: string, file: string, spots: readonly Spot[], quickCheckUpToBytes: number, acknowledged: Acknowledged): Promise<void> {
  const damaged = join(folderOf(t), 'damaged')
  const seen = { refused: 0, unavailable: 0, unnoticed: 0 }
  for (const spot of spots) {
    copyFolder(pristine, damaged)
    flip(join(damaged, file), spot)
    const verdict = await examine(damaged, quickCheckUpToBytes, acknowledged)
    if (verdict === 'refused') seen.refused += 1
    else if (verdict.unavailable > 0) seen.unavailable += 1
    else seen.unnoticed += 1
    t.strictSame(verdict === 'refused' ? [] : verdict.guesses, [], `byte ${spot.offset} ^ ${spot.mask}`)
  }
  t.comment(`${spots.length} flips: ${seen.refused} starts refused, ${seen.unavailable} answered in part, ${seen.unnoticed} without effect`)
}

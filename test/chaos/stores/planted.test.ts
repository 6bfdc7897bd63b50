import t, { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import type { Trial } from '../campaign.ts'
import { CHECKS, type CheckName } from '../check.ts'
import type { StoreBug } from '../protocol.ts'
import { FILE_MS, runSmall, show } from './shown.ts'

needs(t, 'postgres', 'redis')
t.setTimeout(FILE_MS)

const PLANTED: readonly { readonly bug: StoreBug, readonly trial: Trial, readonly seenBy: readonly CheckName[] }[] = [
  { bug: 'unknown-is-no', trial: show('postgres-kill'), seenBy: ['one-execution'] },
  { bug: 'unknown-is-yes', trial: show('postgres-kill'), seenBy: ['one-execution'] },
  { bug: 'deaf-to-notices', trial: show('failover-behind'), seenBy: ['one-execution', 'answer-is-stored'] },
  { bug: 'redis-decides', trial: show('redis'), seenBy: ['one-execution'] },
]

/** Somebody has to be on the way when the fault comes, which is likely and no more. */
const TRIES = 4

async function caught({ bug, trial, seenBy }: typeof PLANTED[number]): Promise<readonly CheckName[]> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const reports = await runSmall([trial], bug)
    const violated = new Set(reports.flatMap(({ violations }) => violations.map(({ check }) => check)))
    const seen = seenBy.filter((check) => violated.has(check))
    if (seen.length > 0) return seen
  }
  return []
}

test('every planted bug of a shared store is seen', async (t) => {
  t.setTimeout(FILE_MS)
  const left = PLANTED.values()
  await Promise.all([0, 1].map(async () => {
    for (const planted of left) {
      const seen = await caught(planted)
      t.ok(seen.length > 0, `${planted.bug} is seen: ${seen.map((check) => CHECKS[check]).join('; ')}`)
    }
  }))
})

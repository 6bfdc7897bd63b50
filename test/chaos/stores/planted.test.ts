import t, { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import type { Trial } from '../campaign.ts'
import { CHECKS, type CheckName } from '../check.ts'
import type { StoreBug } from '../protocol.ts'
import { runSmall, show } from './shown.ts'

needs(t, 'postgres', 'redis')

const PLANTED: readonly { readonly bug: StoreBug, readonly trial: Trial, readonly seenBy: readonly CheckName[] }[] = [
  { bug: 'unknown-is-no', trial: show('postgres-kill'), seenBy: ['one-execution'] },
  { bug: 'unknown-is-yes', trial: show('postgres-kill'), seenBy: ['one-execution'] },
  { bug: 'deaf-to-notices', trial: show('failover-behind'), seenBy: ['one-execution', 'answer-is-stored'] },
  { bug: 'redis-decides', trial: show('redis'), seenBy: ['one-execution'] },
]

/** Somebody has to be on the way when the fault comes, which is likely and no more. */
const TRIES = 4

for (const { bug, trial, seenBy } of PLANTED) {
  test(`a planted bug of a shared store is seen: ${bug}`, async (t) => {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const reports = await runSmall([trial], bug)
      const caught = new Set(reports.flatMap(({ violations }) => violations.map(({ check }) => check)))
      const seen = seenBy.filter((check) => caught.has(check))
      if (seen.length > 0) return t.pass(`${bug} is seen: ${seen.map((check) => CHECKS[check]).join('; ')}`)
    }
    return t.fail(`${bug} was not seen`)
  })
}

import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'tap'
import { LATER_ISSUES, TRAPS } from './index.ts'
import { hasTest } from '../support/titles.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const HOW_MANY = 60

test('every trap has its line, and there is no gap', async (t) => {
  t.same(Object.keys(TRAPS).map(Number), Array.from({ length: HOW_MANY }, (_, i) => i + 1))
  const counts = { tested: 0, unreachable: 0, later: 0 }
  for (const trap of Object.values(TRAPS)) counts[trap.kind] += 1
  t.comment(`${HOW_MANY} traps: ${counts.tested} tested, ${counts.unreachable} out of reach, ${counts.later} with later issues`)
})

test('the test of every trap is there', async (t) => {
  for (const [number, trap] of Object.entries(TRAPS)) {
    if (trap.kind !== 'tested') continue
    for (const { file, title } of trap.tests) {
      const path = join(ROOT, file)
      t.ok(existsSync(path) && hasTest(readFileSync(path, 'utf8'), title), `${number}: ${file} has "${title}"`)
    }
  }
})

test('what is not tested says why, or which open issue will', async (t) => {
  for (const [number, trap] of Object.entries(TRAPS)) {
    if (trap.kind === 'unreachable') t.ok(trap.because.length > 20, `${number} says why`)
    if (trap.kind === 'later') t.ok(trap.issue in LATER_ISSUES, `${number} waits for an issue that is open`)
  }
  for (const issue of Object.keys(LATER_ISSUES)) {
    t.ok(Object.values(TRAPS).some((trap) => trap.kind === 'later' && trap.issue === Number(issue)), `issue ${issue} owes at least one`)
  }
})

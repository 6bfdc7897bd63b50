import fc from 'fast-check'
import { test } from 'tap'
import { RetryBudget } from '../../src/core/budget.ts'

const SETTINGS = { ratio: 0.2, minPerSecond: 10, windowMs: 10_000 }

function budgetAt(settings = SETTINGS): { budget: RetryBudget, clock: { nowMs: number } } {
  const clock = { nowMs: 5_000_000 }
  return { clock, budget: new RetryBudget(settings, { monotonicMs: () => clock.nowMs }) }
}

function take(budget: RetryBudget, wanted: number): number {
  let taken = 0
  for (let i = 0; i < wanted; i += 1) if (budget.tryWithdraw()) taken += 1
  return taken
}

test('the worked example of its doc', async (t) => {
  const { budget, clock } = budgetAt()
  t.equal(budget.balance(), 100)
  for (let i = 0; i < 1000; i += 1) budget.deposit()
  t.equal(budget.balance(), 300)
  t.equal(take(budget, 1000), 300)
  t.equal(budget.balance(), 0)
  let retries = 0
  for (let second = 0; second < 60; second += 1) {
    clock.nowMs += 1000
    for (let i = 0; i < 1000; i += 1) budget.deposit()
    const taken = take(budget, 1000)
    if (second >= 20) retries += taken
  }
  t.ok(Math.abs(retries / 40 - 210) <= 10, `${retries / 40} a second`)
})

test('what was paid in and not used is forgotten with the window', async (t) => {
  const { budget, clock } = budgetAt({ ratio: 1, minPerSecond: 0, windowMs: 10_000 })
  for (let i = 0; i < 50; i += 1) budget.deposit()
  clock.nowMs += 8000
  t.equal(budget.balance(), 50)
  clock.nowMs += 3000
  t.equal(budget.balance(), 0)
  t.notOk(budget.tryWithdraw())
})

test('a ratio of a third adds up to whole retries', async (t) => {
  const { budget } = budgetAt({ ratio: 1 / 3, minPerSecond: 0, windowMs: 10_000 })
  for (let i = 0; i < 30_000; i += 1) budget.deposit()
  t.ok(Math.abs(budget.balance() - 10_000) <= 1)
})

test('a clock that has only begun is as good as another', async (t) => {
  const budget = new RetryBudget(SETTINGS, { monotonicMs: () => 3 })
  budget.deposit()
  t.equal(budget.balance(), 100)
  t.ok(budget.tryWithdraw())
})

test('in no window are there more retries than it was paid for and the floor, whatever happens', async () => {
  const step = fc.record({ waitMs: fc.integer({ min: 0, max: 3000 }), deposits: fc.integer({ min: 0, max: 50 }), wanted: fc.integer({ min: 0, max: 50 }) })
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 5 }), (steps, ratio, minPerSecond) => {
    const { budget, clock } = budgetAt({ ratio, minPerSecond, windowMs: 10_000 })
    const events: { at: number, deposits: number, taken: number }[] = []
    for (const { waitMs, deposits, wanted } of steps) {
      clock.nowMs += waitMs
      for (let i = 0; i < deposits; i += 1) budget.deposit()
      events.push({ at: clock.nowMs, deposits, taken: take(budget, wanted) })
    }
    // a withdrawal leaves the window at most a slice early, so nine tenths of it are exact
    return events.every((last, i) => {
      const within = events.slice(0, i + 1).filter(({ at }) => at > last.at - 9000)
      const before = events.slice(0, i + 1).filter(({ at }) => at > last.at - 20_000)
      const paid = before.reduce((sum, { deposits }) => sum + deposits, 0) * ratio
      return within.reduce((sum, { taken }) => sum + taken, 0) <= paid + minPerSecond * 10 + 1e-3
    })
  }), { numRuns: 300 })
})

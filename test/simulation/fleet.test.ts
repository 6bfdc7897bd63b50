import { test } from 'tap'
import { chance } from '../chaos/chance.ts'
import { CALM, loadFactor, simulate, STORM } from './fleet.ts'

const DURING = [20, 80] as const
/** five seconds after the upstream has come back */
const AFTER = [85, 140] as const

test('200 sidecars before an upstream that fails for a minute load it with less than 1.25 of what is offered, and leave it in peace after that', async (t) => {
  const course = simulate(CALM, chance(1, 'fleet'))
  t.ok(loadFactor(course, ...DURING) < 1.25, `${loadFactor(course, ...DURING)} while it fails`)
  t.ok(loadFactor(course, ...AFTER) < 1.01, `${loadFactor(course, ...AFTER)} afterwards`)
})

test('without budget and jitter the same fleet is a storm, which outlives its cause', async (t) => {
  const course = simulate(STORM, chance(1, 'fleet'))
  t.ok(loadFactor(course, ...DURING) > 3.9, `${loadFactor(course, ...DURING)} while it fails`)
  t.ok(loadFactor(course, ...AFTER) > 1.5, `${loadFactor(course, ...AFTER)} afterwards`)
})

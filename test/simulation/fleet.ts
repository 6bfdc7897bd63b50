import { backoffMs, type Backoff } from '../../src/core/backoff.ts'
import { RetryBudget, type Budget } from '../../src/core/budget.ts'
import { Agenda } from './agenda.ts'

/*
 * A fleet of sidecars before one upstream, in virtual time, with the product's own backoff and budget. The upstream refuses
 * everybody for a while. After that it answers nobody in a tenth of a second that follows one in which it was asked more than
 * it can bear, because it works on what nobody waits for any more: that is how a storm of retries outlives its cause.
 */

export interface Fleet {
  readonly sidecars: number
  /** first attempts a second of each one, at random instants */
  readonly offeredPerSecond: number
  readonly attempts: number
  readonly backoff: Backoff
  /** null: nothing bounds retries */
  readonly budget: { readonly ratio: number, readonly minPerSecond: number, readonly windowMs: number } | null
  readonly outage: { readonly fromMs: number, readonly toMs: number }
  /** requests a second that the upstream can bear */
  readonly capacityPerSecond: number
  readonly lastsMs: number
}

export interface Course {
  /** requests that reached the upstream in each second */
  readonly load: readonly number[]
  /** first attempts among them */
  readonly offered: readonly number[]
  /** requests that were answered in each second */
  readonly answered: readonly number[]
}

const ROUND_TRIP_MS = 20
const TENTH_MS = 100

export function simulate(fleet: Fleet, uniform: () => number): Course {
  const agenda = new Agenda()
  const seconds = Math.ceil(fleet.lastsMs / 1000)
  const [load, offered, answered] = [0, 1, 2].map(() => new Array<number>(seconds).fill(0))
  if (load === undefined || offered === undefined || answered === undefined) throw new Error('three lists were made')
  // one budget for all, as with `shared: true`
  const budget: Budget | null = fleet.budget === null ? null : new RetryBudget(fleet.budget, agenda)
  let tenth = { index: -1, requests: 0, isBuried: false }

  const count = (list: number[]): void => {
    const second = Math.floor(agenda.nowMs / 1000)
    list[second] = (list[second] ?? 0) + 1
  }
  const isAnswered = (): boolean => {
    const index = Math.floor(agenda.nowMs / TENTH_MS)
    if (index !== tenth.index) tenth = { index, requests: 0, isBuried: index === tenth.index + 1 && tenth.requests > fleet.capacityPerSecond * TENTH_MS / 1000 }
    tenth.requests += 1
    if (agenda.nowMs >= fleet.outage.fromMs && agenda.nowMs < fleet.outage.toMs) return false
    return !tenth.isBuried
  }
  const attempt = (made: number, previousMs: number): void => {
    count(load)
    if (isAnswered()) return count(answered)
    if (made >= fleet.attempts) return
    const delayMs = backoffMs(fleet.backoff, made - 1, previousMs, uniform())
    if (budget !== null && !budget.tryWithdraw()) return
    agenda.at(agenda.nowMs + ROUND_TRIP_MS + delayMs, () => attempt(made + 1, delayMs))
  }
  const arrive = (): void => {
    count(offered)
    budget?.deposit()
    attempt(1, 0)
    agenda.at(agenda.nowMs + pauseMs(fleet.offeredPerSecond, uniform), arrive)
  }
  for (let i = 0; i < fleet.sidecars; i += 1) agenda.at(pauseMs(fleet.offeredPerSecond, uniform), arrive)
  agenda.run(fleet.lastsMs - 1)
  return { load, offered, answered }
}

/** Between two arrivals of a Poisson process. */
function pauseMs(perSecond: number, uniform: () => number): number {
  return -Math.log(1 - uniform()) * 1000 / perSecond
}

const SCENE = {
  sidecars: 200, offeredPerSecond: 5, attempts: 4,
  outage: { fromMs: 20_000, toMs: 80_000 }, capacityPerSecond: 2000, lastsMs: 140_000,
}

/** As Onceward comes, with a shared budget. */
export const CALM: Fleet = { ...SCENE, backoff: { baseMs: 50, capMs: 2000, jitter: 'full' }, budget: { ratio: 0.2, minPerSecond: 10, windowMs: 10_000 } }
/** The same without what this is about. */
export const STORM: Fleet = { ...SCENE, backoff: { baseMs: 50, capMs: 2000, jitter: 'none' }, budget: null }

/** Requests per first attempt, from one second to another. */
export function loadFactor({ load, offered }: Course, fromSecond: number, toSecond: number): number {
  const sum = (list: readonly number[]): number => list.slice(fromSecond, toSecond).reduce((a, b) => a + b, 0)
  return sum(load) / sum(offered)
}

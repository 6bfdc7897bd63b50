import t, { test, type Test } from 'tap'
import type { Budget, BudgetSettings } from '../../../src/core/budget.ts'
import { parseRedisUrl } from '../../../src/core/redis-target.ts'
import { systemClock } from '../../../src/host/clock.ts'
import { systemRandom } from '../../../src/host/random.ts'
import { openRedis } from '../../../src/store/redis/open.ts'
import { LEASE, SharedBudget } from '../../../src/store/redis/shared-budget.ts'
import { NotedJournal, NotedMeter } from '../../support/quiet.ts'
import { needs } from '../../support/services/needs.ts'
import { startRedis } from '../../support/services/redis.ts'
import { until } from './scene.ts'

needs(t, 'redis')

const SETTINGS: BudgetSettings = { ratio: 0.2, minPerSecond: 10, windowMs: 10_000, shared: true, maxInFlight: 100 }

interface Process {
  readonly budget: SharedBudget
  readonly journal: NotedJournal
}

/** One process of a fleet, with a connection of its own. */
async function processOn(on: Test, url: string, settings: BudgetSettings): Promise<Process> {
  const target = parseRedisUrl(url)
  if (target === undefined) throw new Error('no such URL')
  const journal = new NotedJournal()
  const redis = await openRedis({ target, ca: null, service: 'test', timeoutMs: 200, keepMs: 1000, clock: systemClock(), random: systemRandom(), meter: new NotedMeter(), journal })
  const budget: Budget = redis.budget('default', settings)
  if (!(budget instanceof SharedBudget)) throw new Error('a shared one was asked for')
  on.teardown(async () => {
    budget.close()
    await redis.close()
  })
  return { budget, journal }
}

/** Until it has heard from Redis; a deposit makes it ask. */
async function sharing(...processes: readonly Process[]): Promise<void> {
  for (const { budget } of processes) {
    await until(() => {
      budget.deposit()
      return budget.isShared
    })
  }
}

function take(budget: Budget, wanted: number): number {
  let taken = 0
  for (let i = 0; i < wanted; i += 1) if (budget.tryWithdraw()) taken += 1
  return taken
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => { setTimeout(resolve, ms) })
}

test('a fleet that wants all it can get gets one budget, and no more', async (on) => {
  const { url } = await startRedis(on)
  const fleet = await Promise.all(Array.from({ length: 10 }, () => processOn(on, url, { ...SETTINGS, ratio: 0 })))
  await sharing(...fleet)
  let taken = 0
  const began = performance.now()
  while (performance.now() - began < 3000) {
    for (const { budget } of fleet) taken += take(budget, 20)
    await pause(5)
  }
  on.ok(taken <= 100, `${taken} of 100`)
  on.ok(taken >= 90, `${taken}: what is there is found, wherever it is wanted`)
})

test('the first attempts of one process pay for the retries of another', async (on) => {
  const { url } = await startRedis(on)
  const [quiet, busy] = [await processOn(on, url, { ...SETTINGS, minPerSecond: 0 }), await processOn(on, url, { ...SETTINGS, minPerSecond: 0 })]
  await sharing(quiet, busy)
  on.equal(take(quiet.budget, 1), 0)
  for (let i = 0; i < 1000; i += 1) busy.budget.deposit()
  let taken = 0
  await until(() => {
    taken += take(quiet.budget, 20)
    return taken >= 150
  })
  await pause(100)
  on.ok(taken + take(busy.budget, 1000) <= 200 + LEASE)
})

test('a retry asks nobody: it is granted or not at once, and a Redis that hangs changes nothing about that', async (on) => {
  const redis = await startRedis(on)
  const one = await processOn(on, redis.url, SETTINGS)
  await sharing(one)
  redis.pause()
  const began = performance.now()
  for (let i = 0; i < 1000; i += 1) {
    one.budget.deposit()
    one.budget.tryWithdraw()
  }
  on.ok(performance.now() - began < 100)
  await until(() => {
    one.budget.deposit()
    return one.journal.events.includes('budget.alone')
  })
  on.notOk(one.budget.isShared)
  on.ok(one.budget.tryWithdraw(), 'it has its own share')
  redis.resume()
  await sharing(one)
  on.strictSame(one.journal.events.filter((event) => event.startsWith('budget.')), ['budget.shared', 'budget.alone', 'budget.shared'])
})

test('alone, each process of the fleet has its part of the floor', async (on) => {
  const redis = await startRedis(on)
  const fleet = await Promise.all(Array.from({ length: 5 }, () => processOn(on, redis.url, { ...SETTINGS, ratio: 0 })))
  await sharing(...fleet)
  await pause(600)
  await sharing(...fleet)
  for (const { budget } of fleet) budget.deposit()
  await pause(600)
  await redis.kill()
  for (const { budget, journal } of fleet) {
    await until(() => {
      budget.deposit()
      return journal.events.includes('budget.alone')
    })
  }
  const shares = fleet.map(({ budget }) => take(budget, 1000))
  on.ok(shares.every((share) => share <= 20 && share >= 10), shares.join())
})

test('without any Redis from the start it says so, and has the whole floor', async (on) => {
  const one = await processOn(on, 'redis://127.0.0.1:1', SETTINGS)
  await until(() => one.journal.events.includes('budget.alone'))
  on.equal(take(one.budget, 1000), 100)
})

test('an ACL user needs these commands', async (on) => {
  const user = 'onceward on >secret ~onceward:* resetchannels &onceward:* -@all +publish +subscribe +info +select +client|setname +ping +eval +time +hgetall +hdel +hincrby +zadd +zremrangebyscore +zcard +pexpire'
  const { port } = await startRedis(on, { user: ['default on nopass ~* &* +@all', user] })
  const one = await processOn(on, `redis://onceward:secret@127.0.0.1:${port}`, SETTINGS)
  await sharing(one)
  on.ok(one.budget.balance() > 50)
})

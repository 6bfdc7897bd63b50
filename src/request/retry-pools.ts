import type { Budget, BudgetSettings } from '../core/budget.ts'
import type { GaveUp } from '../core/retry.ts'

/** A budget, and how many of the retries that it paid for are under way in this process. */
export class RetryPool {
  readonly budget: Budget
  readonly settings: BudgetSettings
  #underWay = 0

  constructor(budget: Budget, settings: BudgetSettings) {
    this.budget = budget
    this.settings = settings
  }

  get underWay(): number {
    return this.#underWay
  }

  /** Pays for one retry, which is under way until `leave` is called; or why there is none. */
  enter(): Extract<GaveUp, 'no-budget' | 'too-many'> | null {
    if (this.#underWay >= this.settings.maxInFlight) return 'too-many'
    if (!this.budget.tryWithdraw()) return 'no-budget'
    this.#underWay += 1
    return null
  }

  leave(): void {
    this.#underWay -= 1
  }
}

/**
 * The budgets by name. A reload replaces those whose settings have changed: the new one begins full, and what is under way
 * ends in the old one.
 */
export class RetryPools {
  readonly #open: (name: string, settings: BudgetSettings) => Budget
  #pools: ReadonlyMap<string, RetryPool> = new Map()
  #fallback: RetryPool

  constructor(settings: ReadonlyMap<string, BudgetSettings>, open: (name: string, settings: BudgetSettings) => Budget) {
    this.#open = open
    this.#fallback = this.adopt(settings)
  }

  /** A request that goes on under a policy from before a reload may name a budget that has gone. */
  of(name: string): RetryPool {
    return this.#pools.get(name) ?? this.#fallback
  }

  adopt(settings: ReadonlyMap<string, BudgetSettings>): RetryPool {
    const before = this.#pools
    this.#pools = new Map([...settings].map(([name, wanted]) => {
      const standing = before.get(name)
      return [name, standing !== undefined && isSame(standing.settings, wanted) ? standing : new RetryPool(this.#open(name, wanted), wanted)]
    }))
    for (const [name, pool] of before) if (this.#pools.get(name) !== pool) pool.budget.close()
    const first = this.#pools.get('default')
    if (first === undefined) throw new Error('there is always a default budget')
    return this.#fallback = first
  }

  *balances(): Iterable<readonly [string, number]> {
    for (const [name, pool] of this.#pools) yield [name, pool.budget.balance()]
  }

  *underWay(): Iterable<readonly [string, number]> {
    for (const [name, pool] of this.#pools) yield [name, pool.underWay]
  }

  /** May be called twice. */
  close(): void {
    for (const { budget } of this.#pools.values()) budget.close()
  }
}

function isSame(a: BudgetSettings, b: BudgetSettings): boolean {
  return a.ratio === b.ratio && a.minPerSecond === b.minPerSecond && a.windowMs === b.windowMs && a.shared === b.shared && a.maxInFlight === b.maxInFlight
}

import { readFileSync } from 'node:fs'
import { RetryBudget, type Budget, type BudgetSettings } from '../../core/budget.ts'
import type { Clock, Journal, Random } from '../../core/ports.ts'
import type { Client } from './connection.ts'
import { Deadlines } from './deadline.ts'

/*
 * One budget for the fleet. Each process takes small leases of retries out of the budget in Redis and spends them without
 * asking, so that no request ever waits for Redis:
 *
 *     deposit, or a lease that runs low --report--> Redis: slices of deposits and withdrawals --lease--> tryWithdraw
 *
 * What is leased counts as spent at once, and is worth nothing once it leaves the window: so the fleet never spends more
 * than there is, and a process that dies takes its lease along. While Redis does not answer, each process has its share:
 * the ratio of its own first attempts, and the floor divided by the processes that there were.
 */

export interface FleetBudgets {
  budget(name: string, settings: BudgetSettings): Budget
}

export interface SharedBudgetOptions {
  readonly client: Client
  readonly service: string
  readonly name: string
  readonly settings: BudgetSettings
  /** longest wait for an answer */
  readonly timeoutMs: number
  readonly clock: Clock
  readonly random: Random
  readonly journal: Pick<Journal, 'warn' | 'info'>
}

/** Retries that one process takes at a time, and the most that it spends before its first answer. */
export const LEASE = 5
/** How often deposits are reported while there are any. */
const REPORT_EVERY_MS = 250
/** Past it a Redis that was never there counts as gone: as long as connection.ts lets ioredis connect. */
const CONNECTS_WITHIN_MS = 2000
/** A lease ends before its withdrawal leaves the window, by a slice. */
const LEASE_LASTS = 0.9
const ONE = 1_000_000

const SCRIPT = readFileSync(new URL('./lua/take-retries.lua', import.meta.url), 'utf8')

export class SharedBudget implements Budget {
  readonly #options: SharedBudgetOptions
  readonly #deadlines: Deadlines
  readonly #own: RetryBudget
  readonly #member: string
  #deposits = 0
  /** spent without a lease, to be reported */
  #debt = 0
  #leased = 0
  #leaseEndsAtMs = 0
  /** what Redis said was left for others, too */
  #left = 0
  #answeredAtMs = -Infinity
  #state: 'unknown' | 'shared' | 'alone' = 'unknown'
  #reporting = false
  #cancelTick: (() => void) | null = null
  #closed = false

  constructor(options: SharedBudgetOptions) {
    this.#options = options
    this.#deadlines = new Deadlines(options.clock)
    this.#own = new RetryBudget(options.settings, options.clock)
    this.#member = options.random.token(9)
    // a connection that is only being made is no trouble yet
    options.client.on('ready', () => this.#hurry())
    if (options.client.status === 'ready') this.#hurry()
    else this.#cancelTick = options.clock.after(CONNECTS_WITHIN_MS, () => this.#tick())
  }

  get isShared(): boolean {
    return this.#state === 'shared'
  }

  deposit(): void {
    this.#deposits += 1
    this.#own.deposit()
    if (this.#cancelTick === null) this.#tickLater()
  }

  tryWithdraw(): boolean {
    if (this.#state === 'shared') return this.#takeLeased()
    if (this.#state === 'unknown' && this.#debt >= LEASE) return false
    if (!this.#own.tryWithdraw()) return false
    this.#debt += 1
    return true
  }

  balance(): number {
    return this.#state === 'shared' ? this.#held() + this.#left : this.#own.balance()
  }

  close(): void {
    this.#closed = true
    this.#cancelTick?.()
    this.#cancelTick = null
  }

  #takeLeased(): boolean {
    const held = this.#held()
    if (held <= LEASE / 2) void this.#report()
    if (held === 0) return false
    this.#leased = held - 1
    this.#own.tryWithdraw() // so that its share is not a fresh one when Redis goes
    return true
  }

  #held(): number {
    return this.#options.clock.monotonicMs() < this.#leaseEndsAtMs ? this.#leased : 0
  }

  #tickLater(): void {
    if (this.#closed) return
    this.#cancelTick = this.#options.clock.after(REPORT_EVERY_MS, () => this.#tick())
  }

  #hurry(): void {
    this.#cancelTick?.()
    void this.#report()
    this.#tickLater()
  }

  #tick(): void {
    this.#cancelTick = null
    const idle = this.#deposits === 0 && this.#debt === 0 && this.#state !== 'unknown'
    if (idle) return
    void this.#report()
    this.#tickLater()
  }

  /** One at a time; never rejects. */
  async #report(): Promise<void> {
    if (this.#reporting || this.#closed) return
    this.#reporting = true
    const { clock, timeoutMs, settings } = this.#options
    const now = clock.monotonicMs()
    if (now - this.#answeredAtMs > settings.windowMs && this.#state === 'alone') this.#forget()
    const [deposits, debt, held] = [this.#deposits, this.#debt, this.#held()]
    try {
      const [leased = 0, left = 0, processes = 1] = await this.#deadlines.within(timeoutMs, this.#take(deposits, debt, LEASE - held))
      this.#deposits -= deposits
      this.#debt -= debt
      const spentMeanwhile = held - this.#held()
      if (leased > 0) {
        // the older ones lose some of their life here, which errs on the side of fewer retries
        this.#leased = held - spentMeanwhile + leased
        this.#leaseEndsAtMs = held - spentMeanwhile > 0 ? Math.min(this.#leaseEndsAtMs, now + settings.windowMs * LEASE_LASTS) : now + settings.windowMs * LEASE_LASTS
      }
      this.#left = left
      this.#answeredAtMs = now
      this.#own.minPerSecond = settings.minPerSecond / Math.max(1, processes)
      this.#become('shared')
    } catch {
      this.#become('alone')
    } finally {
      this.#reporting = false
    }
  }

  async #take(deposits: number, debt: number, wanted: number): Promise<number[]> {
    const { client, service, name, settings: { ratio, minPerSecond, windowMs } } = this.#options
    const key = `onceward:{${service}/${name}}:retries`
    const reserve = Math.round(minPerSecond * (windowMs / 1000) * ONE)
    const answer = await client.eval(SCRIPT, 2, key, `${key}:processes`, Math.round(deposits * ratio * ONE), debt * ONE, wanted, reserve, windowMs, this.#member)
    return Array.isArray(answer) ? answer.map(Number) : []
  }

  /** Nobody needs to hear of what has left the window. */
  #forget(): void {
    this.#deposits = 0
    this.#debt = 0
  }

  #become(state: 'shared' | 'alone'): void {
    if (this.#state === state) return
    const { journal, name } = this.#options
    this.#state = state
    if (state === 'shared') journal.info('budget.shared', { budget: name })
    else journal.warn('budget.alone', { budget: name, detail: 'Redis does not answer, so this process has its own share of the budget' })
  }
}

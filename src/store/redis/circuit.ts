import type { Clock, Random } from '../../core/ports.ts'

/*
 * Whether Redis is asked at all.
 *
 *     closed --trouble--> open --(pause ends)--> probing --answered--> closed
 *                           ^                        |
 *                           '------- trouble --------'   (longer pause)
 *
 * While it is open nobody waits for Redis, so that one that hangs costs what it cost to find out, once per pause, and one
 * probe of our own finds out that it is back: no request is ever spent on that.
 */

export interface CircuitOptions {
  readonly clock: Clock
  readonly random: Random
  /** true if it was answered as it should be; never rejects */
  readonly probe: () => Promise<boolean>
  /** it opened after it had been closed, or closed */
  readonly changed: (closed: boolean) => void
}

/** Short enough that a hiccup costs little hit rate; a failover takes seconds anyway. */
const SHORTEST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5000
/** Who stayed closed for so long begins with the shortest pause again. */
const HEALTHY_AFTER_MS = 10_000

export class Circuit {
  readonly #options: CircuitOptions
  #state: 'closed' | 'open' | 'probing' | 'stopped'
  #troubles = 0
  #closedAtMs = 0
  #cancel: () => void = () => undefined

  /** Begins open: nobody has seen this Redis answer yet. */
  constructor(options: CircuitOptions) {
    this.#options = options
    this.#state = 'open'
    this.#pause()
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  /** Something went wrong that the next command would meet, too. */
  trip(): void {
    if (this.#state !== 'closed') return
    if (this.#options.clock.monotonicMs() - this.#closedAtMs > HEALTHY_AFTER_MS) this.#troubles = 0
    this.#open()
    this.#options.changed(false)
  }

  /** There is reason to believe that it answers now: the pause ends here. */
  hurry(): void {
    if (this.#state !== 'open') return
    this.#cancel()
    void this.#probe()
  }

  /** May be called twice. */
  stop(): void {
    this.#state = 'stopped'
    this.#cancel()
  }

  #open(): void {
    this.#state = 'open'
    this.#pause()
  }

  /** Between half and all of a pause that doubles: the processes of a fleet do not come back as one. */
  #pause(): void {
    const longest = Math.min(LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS * 2 ** Math.min(this.#troubles, 10))
    this.#troubles += 1
    this.#cancel = this.#options.clock.after(longest * (0.5 + this.#options.random.uniform() / 2), () => void this.#probe())
  }

  async #probe(): Promise<void> {
    this.#state = 'probing'
    const answered = await this.#options.probe()
    if (this.#isStopped()) return
    if (!answered) return this.#open()
    this.#state = 'closed'
    this.#closedAtMs = this.#options.clock.monotonicMs()
    this.#options.changed(true)
  }

  #isStopped(): boolean {
    return this.#state === 'stopped'
  }
}

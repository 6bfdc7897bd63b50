import { StoreUnavailable, type Clock, type Journal } from '../core/ports.ts'
import type { ShadowEnd, ShadowRequest, ShadowStore, ShadowVerdict } from '../core/shadow.ts'

/*
 * What is to be noted of shadowed requests, on its way to the store. Nobody waits for it: one batch is out at a time, what
 * comes meanwhile lines up in a queue that has an end, and for what finds no place there, or finds the store in trouble, nothing is
 * looked up.
 *
 *     look --> queue --> batch --> verdict
 *               |          '--(no answer)--> no verdict for it and for all that wait; a rest; then again
 *               '--(full, or resting)--> no verdict, at once
 *
 * Of one key everything is said in the order in which it came. Ends are kept through an outage, as far as there is room: a key
 * whose end was lost would look as if its first request still ran.
 */

type Operation =
  | { readonly kind: 'look', readonly id: string, readonly request: ShadowRequest, /** null: nobody knows */ readonly told: (verdict: ShadowVerdict | null) => void }
  | { readonly kind: 'end', readonly id: string, readonly end: ShadowEnd }

/** Of each kind: some 600 bytes for each that waits. */
export const MOST_PENDING = 4096
const MOST_TOGETHER = 128
/** So far a batch looks for keys that are not in it yet: a queue full of one key must not be read through each time. */
const LOOKED_THROUGH = 512
const REST_MS = 1000

export class ShadowQueue {
  readonly #store: ShadowStore
  readonly #clock: Clock
  readonly #journal: Journal
  #queue: Operation[] = []
  #looks = 0
  #running: Promise<void> | null = null
  #cancelRest: (() => void) | null = null
  #stopped = false

  constructor(store: ShadowStore, clock: Clock, journal: Journal) {
    this.#store = store
    this.#clock = clock
    this.#journal = journal
  }

  /** `told` is called once, never before this returns unless with null. False where nothing is looked up. */
  look(request: ShadowRequest, told: (verdict: ShadowVerdict | null) => void): boolean {
    if (this.#stopped || this.#cancelRest !== null || this.#looks >= MOST_PENDING) {
      told(null)
      return false
    }
    this.#looks += 1
    this.#queue.push({ kind: 'look', id: request.id, request, told })
    this.#begin()
    return true
  }

  /** Of a request that was looked up. */
  end(end: ShadowEnd): void {
    if (this.#queue.length - this.#looks >= MOST_PENDING) return
    this.#queue.push({ kind: 'end', id: end.id, end })
    this.#begin()
  }

  /** Takes nothing more; resolves when what waits is written, or when the store does not take it. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelRest?.()
    this.#cancelRest = null
    if (this.#running !== null) await this.#running
  }

  #begin(): void {
    if (this.#running !== null || this.#cancelRest !== null) return
    // not in this turn: what one read of the sockets brings goes together
    this.#running = Promise.resolve().then(() => this.#send()).finally(() => {
      this.#running = null
      if (this.#queue.length > 0) this.#begin() // it came while the last batch ended
    })
  }

  async #send(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#next()
      try {
        await this.#write(batch)
      } catch (error) {
        this.#failed(batch, error)
        return
      }
    }
  }

  async #write(batch: readonly Operation[]): Promise<void> {
    const looks = batch.filter((operation) => operation.kind === 'look')
    const ends = batch.flatMap((operation) => (operation.kind === 'end' ? [operation.end] : []))
    const [verdicts] = await Promise.all([
      looks.length === 0 ? [] : this.#store.look(looks.map(({ request }) => request)),
      ends.length === 0 ? undefined : this.#store.end(ends),
    ])
    this.#looks -= looks.length
    for (const [i, { told }] of looks.entries()) told(verdicts[i] ?? null)
  }

  /** The oldest of each key; of one key never two. */
  #next(): Operation[] {
    const batch: Operation[] = []
    const left: Operation[] = []
    const keys = new Set<string>()
    for (const operation of this.#queue.slice(0, LOOKED_THROUGH)) {
      if (batch.length < MOST_TOGETHER && !keys.has(operation.id)) batch.push(operation)
      else left.push(operation)
      keys.add(operation.id)
    }
    this.#queue = [...left, ...this.#queue.slice(LOOKED_THROUGH)]
    return batch
  }

  #failed(batch: readonly Operation[], error: unknown): void {
    const all = [...batch, ...this.#queue]
    this.#queue = this.#stopped ? [] : all.filter(({ kind }) => kind === 'end')
    this.#looks = 0
    if (!(error instanceof StoreUnavailable)) this.#journal.error('shadow.failed', { error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
    if (!this.#stopped) {
      this.#cancelRest = this.#clock.after(REST_MS, () => {
        this.#cancelRest = null
        if (this.#queue.length > 0) this.#begin()
      })
    }
    for (const operation of all) if (operation.kind === 'look') operation.told(null)
  }
}

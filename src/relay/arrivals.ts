/** As fine as this the window is. */
const SLICE_MS = 250

/**
 * How many of the events that this relay has delivered were committed within a window that ends now, both by the store's clock:
 * what still waits can be counted in the store, but these are gone from there. By the time of their delivery they would not do:
 * an old backlog that leaves now would count as arriving, and a catch-up that runs at 1.5 times the arrivals would run away.
 */
export class DeliveredArrivals {
  readonly #windowMs: number
  readonly #slices = new Map<number, number>()

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  add(committedAt: number, storeNow: number): void {
    if (committedAt <= storeNow - this.#windowMs) return
    const slice = Math.floor(committedAt / SLICE_MS)
    const known = this.#slices.get(slice)
    if (known === undefined) this.#forget(storeNow) // here, too: without a catch-up nobody asks for the sum
    this.#slices.set(slice, (known ?? 0) + 1)
  }

  within(storeNow: number): number {
    this.#forget(storeNow)
    let sum = 0
    for (const count of this.#slices.values()) sum += count
    return sum
  }

  /** What is kept at this moment, in slices of the window. */
  get kept(): number {
    return this.#slices.size
  }

  #forget(storeNow: number): void {
    for (const slice of this.#slices.keys()) if (slice * SLICE_MS <= storeNow - this.#windowMs) this.#slices.delete(slice)
  }
}

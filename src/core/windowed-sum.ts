/** As fine as Finagle's WindowedAdder has it: what was added leaves the window with an error of at most a tenth of it. */
const SLICES = 10

/** The sum of what was added within the last `windowMs`, in slices. Whole numbers stay exact. Time is the caller's. */
export class WindowedSum {
  readonly #sliceMs: number
  readonly #slices: number[] = new Array<number>(SLICES).fill(0)
  #newest = -Infinity
  #sum = 0

  constructor(windowMs: number) {
    this.#sliceMs = windowMs / SLICES
  }

  add(amount: number, nowMs: number): void {
    const slice = this.#roll(nowMs)
    this.#slices[slice] = (this.#slices[slice] ?? 0) + amount
    this.#sum += amount
  }

  at(nowMs: number): number {
    this.#roll(nowMs)
    return this.#sum
  }

  clear(): void {
    this.#slices.fill(0)
    this.#sum = 0
  }

  /** Drops what has left the window; where the newest slice is. */
  #roll(nowMs: number): number {
    const slice = Math.floor(nowMs / this.#sliceMs)
    if (slice > this.#newest) {
      const passed = Math.min(SLICES, slice - this.#newest)
      for (let i = 0; i < passed; i += 1) {
        const gone = index(slice - i)
        this.#sum -= this.#slices[gone] ?? 0
        this.#slices[gone] = 0
      }
      this.#newest = slice
    }
    return index(this.#newest)
  }
}

function index(slice: number): number {
  return ((slice % SLICES) + SLICES) % SLICES
}

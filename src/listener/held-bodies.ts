/**
 * The room that captured request bodies may take in this process. It is asked before the bytes are kept, so that a
 * storm of large bodies ends in 503 before any claim and not in an exhausted heap.
 */
export class HeldBodies {
  readonly #capacityBytes: number
  #bytes = 0

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#capacityBytes) return false
    this.#bytes += bytes
    return true
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes
  }
}

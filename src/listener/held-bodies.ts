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

const NOTHING = Buffer.alloc(0)

/**
 * One body while it arrives. The first chunk, which mostly is all, is kept as it is; from the second one on all is
 * copied into one buffer that doubles. A list of chunks would not do: node makes an object of some 200 bytes for
 * each, and a client that sends 8 MiB in chunks of one byte would have us hold 1.6 GiB for them. So what is taken of
 * the room is what memory really holds.
 */
export class HeldBody {
  readonly #room: HeldBodies
  /** the longest that it may become */
  readonly #mostBytes: number
  #buffer: Buffer = NOTHING
  #size = 0

  constructor(room: HeldBodies, mostBytes: number) {
    this.#room = room
    this.#mostBytes = mostBytes
  }

  /** `too-large` and `no-room` leave what was there before. */
  add(chunk: Buffer): 'added' | 'too-large' | 'no-room' {
    const size = this.#size + chunk.length
    if (size > this.#mostBytes) return 'too-large'
    if (this.#size === 0) {
      if (!this.#room.take(chunk.length)) return 'no-room'
      this.#buffer = chunk
    } else {
      if (!this.#makeRoomFor(size)) return 'no-room'
      chunk.copy(this.#buffer, this.#size)
    }
    this.#size = size
    return 'added'
  }

  whole(): Uint8Array {
    return this.#size === this.#buffer.length ? this.#buffer : this.#buffer.subarray(0, this.#size)
  }

  /** Gives back the room; may be called twice. */
  forget(): void {
    this.#room.giveBack(this.#buffer.length)
    this.#buffer = NOTHING
    this.#size = 0
  }

  /** While one buffer is copied into the other both exist, but in one turn: one body's worth, however many arrive. */
  #makeRoomFor(size: number): boolean {
    if (size <= this.#buffer.length) return true
    const capacity = Math.min(Math.max(size, 2 * this.#buffer.length), this.#mostBytes)
    if (!this.#room.take(capacity - this.#buffer.length)) return false
    const larger = Buffer.allocUnsafeSlow(capacity) // memory of its own: a slice of node's pool would keep the pool
    this.#buffer.copy(larger, 0, 0, this.#size)
    this.#buffer = larger
    return true
  }
}

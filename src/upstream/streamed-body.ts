import type { StreamedBody } from '../core/attempt.ts'
import type { Fields } from '../core/headers.ts'

/** Bytes held for a slow reader before the upstream is paused. */
const HIGH_WATER_BYTES = 64 * 1024

/**
 * The rest of a reply as it arrives, with back-pressure: `push` says false when the sender should pause, and
 * `resume` is called once the reader has caught up. One reader.
 */
export class BodyStream implements StreamedBody {
  readonly #chunks: Uint8Array[] = []
  readonly #resume: () => void
  readonly #abort: () => void
  trailers: Fields = []
  #held = 0
  #paused = false
  #end: 'open' | 'ended' | 'failed' = 'open'
  #wake: (() => void) | null = null

  constructor(resume: () => void, abort: () => void) {
    this.#resume = resume
    this.#abort = abort
  }

  ready(): boolean {
    return this.#chunks.length > 0 || this.#end !== 'open'
  }

  push(chunk: Uint8Array): boolean {
    this.#chunks.push(chunk)
    this.#held += chunk.length
    this.#notify()
    this.#paused = this.#held > HIGH_WATER_BYTES
    return !this.#paused
  }

  end(how: 'ended' | 'failed'): void {
    if (this.#end === 'open') this.#end = how
    this.#notify()
  }

  cancel(): void {
    if (this.#end !== 'open') return
    this.#end = 'failed'
    this.#chunks.length = 0
    this.#abort()
    this.#notify()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) {
        this.#held -= chunk.length
        yield chunk
      } else if (this.#end === 'ended') {
        return
      } else if (this.#end === 'failed') {
        throw new BrokenBody()
      } else {
        await this.#more()
      }
    }
  }

  #more(): Promise<void> {
    if (this.#paused) {
      this.#paused = false
      this.#resume()
    }
    return new Promise((resolve) => {
      if (this.ready()) resolve()
      else this.#wake = resolve
    })
  }

  #notify(): void {
    this.#wake?.()
    this.#wake = null
  }
}

/** The upstream broke off in mid-body; whoever reads must break off too, never end cleanly. */
export class BrokenBody extends Error {
  constructor() {
    super('the upstream broke off in the middle of its reply')
    this.name = 'BrokenBody'
  }
}

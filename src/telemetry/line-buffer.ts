import type { Clock } from '../core/ports.ts'

/** Where lines go in the end; `flushSync` empties what it holds itself. */
export interface Destination {
  write(text: string): unknown
  flushSync(): void
}

/** A system call per this many characters, or per this time if fewer come. */
const CHARACTERS = 64 * 1024
const DELAY_MS = 200

/**
 * Collects log lines and hands them on together: a line then costs an addition, and not a measuring and a write each.
 * What is lost in a kill -9 are the lines of the last fifth of a second; no answer depends on them.
 */
export class LineBuffer {
  readonly #destination: Destination
  readonly #clock: Clock
  #held = ''
  #cancel: (() => void) | null = null

  constructor(destination: Destination, clock: Clock) {
    this.#destination = destination
    this.#clock = clock
  }

  write(line: string): void {
    this.#held += line
    if (this.#held.length >= CHARACTERS) this.#handOn()
    else this.#cancel ??= this.#clock.after(DELAY_MS, () => this.#handOn())
  }

  flushSync(): void {
    this.#handOn()
    this.#destination.flushSync()
  }

  #handOn(): void {
    this.#cancel?.()
    this.#cancel = null
    const text = this.#held
    if (text === '') return
    this.#held = ''
    this.#destination.write(text)
  }
}

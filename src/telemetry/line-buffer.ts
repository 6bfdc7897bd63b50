import type { Clock } from '../core/ports.ts'

/** Where lines go in the end; `flushSync` empties what it holds itself. */
export interface Sink {
  write(text: string): unknown
  flushSync(): void
}

/** A system call per this many characters, or per this time if fewer come. */
const CHARACTERS = 16 * 1024
const DELAY_MS = 100

/**
 * Collects log lines and hands them on together: a line then costs a push, and not a measuring and a write each.
 * What is lost in a kill -9 are the lines of the last tenth of a second; no answer depends on them.
 */
export class LineBuffer {
  readonly #sink: Sink
  readonly #clock: Clock
  #lines: string[] = []
  #characters = 0
  #cancel: (() => void) | null = null

  constructor(sink: Sink, clock: Clock) {
    this.#sink = sink
    this.#clock = clock
  }

  write(line: string): void {
    this.#lines.push(line)
    this.#characters += line.length
    if (this.#characters >= CHARACTERS) this.#handOn()
    else this.#cancel ??= this.#clock.after(DELAY_MS, () => this.#handOn())
  }

  flushSync(): void {
    this.#handOn()
    this.#sink.flushSync()
  }

  #handOn(): void {
    this.#cancel?.()
    this.#cancel = null
    if (this.#lines.length === 0) return
    const text = this.#lines.join('')
    this.#lines = []
    this.#characters = 0
    this.#sink.write(text)
  }
}

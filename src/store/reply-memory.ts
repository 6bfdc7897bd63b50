import type { Clock, Remembered, ReplyCache } from '../core/ports.ts'
import type { KeyId } from '../core/record.ts'
import type { StoredReply } from '../core/reply.ts'

interface Entry extends Remembered {
  readonly bytes: number
  readonly staleAt: number
}

/** Longest life of an entry: what an operator evicts elsewhere is gone here after it, too. */
const LONGEST_LIFE_MS = 60_000

/** What an entry costs besides its body and headers: ids, digests, the map's own books. */
const OVERHEAD_BYTES = 512

/** Completed replies of this process, bounded by bytes, least recently remembered first out. Never an authority. */
export class ReplyMemory implements ReplyCache {
  readonly #entries = new Map<KeyId, Entry>()
  readonly #capacityBytes: number
  readonly #clock: Clock
  #bytes = 0

  constructor(capacityBytes: number, clock: Clock) {
    this.#capacityBytes = capacityBytes
    this.#clock = clock
  }

  get bytes(): number {
    return this.#bytes
  }

  recall(id: KeyId): Remembered | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    if (this.#clock.monotonicMs() < entry.staleAt && this.#clock.wallMs() < entry.retainUntil) return entry
    this.forget(id)
    return undefined
  }

  remember(id: KeyId, what: Remembered): void {
    this.forget(id)
    const bytes = OVERHEAD_BYTES + sizeOf(what.reply)
    if (bytes > this.#capacityBytes) return
    this.#entries.set(id, { ...what, bytes, staleAt: this.#clock.monotonicMs() + LONGEST_LIFE_MS })
    this.#bytes += bytes
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#capacityBytes) break
      this.forget(oldest)
    }
  }

  forget(id: KeyId): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.#entries.delete(id)
    this.#bytes -= entry.bytes
  }
}

function sizeOf(stored: StoredReply): number {
  if (stored.kind === 'not-kept') return 0
  const { headers, body, trailers } = stored.reply
  let bytes = body.length
  for (const text of headers) bytes += text.length
  for (const text of trailers) bytes += text.length
  return bytes
}

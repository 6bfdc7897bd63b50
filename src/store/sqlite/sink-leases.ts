import { crc32 } from 'node:zlib'
import type { Lead, Leadership } from '../../core/outbox.ts'
import { onLead, type SinkLease } from '../../core/sink-lease.ts'
import { Damaged } from './rows.ts'
import type { Statements } from './statements.ts'

/**
 * Who leads for which sink. The lock on the file proves that every earlier process is gone, so nobody leads when it is opened and a
 * renewal need not be written; what is kept is the fence, which rises across restarts, too.
 */
export class SinkLeases {
  readonly #sql: Pick<Statements, 'sink-fence' | 'write-sink-fence'>
  readonly #changed: () => void
  readonly #leases = new Map<string, SinkLease>()
  /** what stood there before the open transaction changed it, oldest change first */
  #before: [sink: string, lease: SinkLease | undefined][] = []

  constructor(sql: Statements, changed: () => void) {
    this.#sql = sql
    this.#changed = changed
  }

  lead(sink: string, holder: string, leaseMs: number, nowMs: number): Leadership {
    const standing = this.#leases.get(sink) ?? this.#fenceOf(sink)
    const { lease, leadership } = onLead(standing, sink, holder, leaseMs, nowMs)
    if (lease.fence !== standing?.fence) {
      this.#sql['write-sink-fence'].run(sink, lease.fence, checksumOf(sink, lease.fence))
      this.#changed()
    }
    this.#put(sink, lease)
    return leadership
  }

  resign(lead: Lead): void {
    if (this.stands(lead)) this.#put(lead.sink, { holder: null, fence: lead.fence, leaseUntil: 0 })
  }

  stands({ sink, holder, fence }: Lead): boolean {
    const lease = this.#leases.get(sink)
    return lease !== undefined && lease.holder === holder && lease.fence === fence
  }

  /** The transaction has committed, or the next one begins. */
  keep(): void {
    this.#before = []
  }

  rollBack(): void {
    for (const [sink, lease] of this.#before.toReversed()) {
      if (lease === undefined) this.#leases.delete(sink)
      else this.#leases.set(sink, lease)
    }
    this.#before = []
  }

  #put(sink: string, lease: SinkLease): void {
    this.#before.push([sink, this.#leases.get(sink)])
    this.#leases.set(sink, lease)
  }

  #fenceOf(sink: string): SinkLease | undefined {
    const row: unknown = this.#sql['sink-fence'].get(sink)
    if (row === undefined) return undefined
    const [fence, checksum]: unknown[] = Array.isArray(row) ? row : []
    if (typeof fence !== 'number' || checksumOf(sink, fence) !== checksum) throw new Damaged('the checksum of the fence of a sink is wrong')
    return { holder: null, fence, leaseUntil: 0 }
  }
}

function checksumOf(sink: string, fence: number): number {
  return crc32(`${sink}\n${fence}`)
}

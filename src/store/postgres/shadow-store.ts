import { StoreUnavailable } from '../../core/ports.ts'
import type { ShadowEnd, ShadowRequest, ShadowStore, ShadowVerdict } from '../../core/shadow.ts'
import { ids, numbers, texts } from './columns.ts'
import type { Row, Value } from './connection.ts'
import type { Link } from './link.ts'
import { number, text } from './rows.ts'
import { runAlone } from './run-alone.ts'

/** The notes of shadowed routes, for all processes of the service. */
export class PostgresShadowStore implements ShadowStore {
  readonly #link: Link

  constructor(link: Link) {
    this.#link = link
  }

  async look(requests: readonly ShadowRequest[]): Promise<readonly ShadowVerdict[]> {
    const verdicts = new Map<ShadowRequest, ShadowVerdict>()
    const until = this.#link.connections.deadline()
    // sorted, so that two processes never wait for each other
    for (let open = requests.toSorted(byId); open.length > 0; open = open.filter((request) => !verdicts.has(request))) {
      if (this.#link.connections.isPast(until)) throw new StoreUnavailable('unknown', 'shadow-look: other processes changed these keys all the time')
      for (const row of await runAlone(this.#link, 'shadow-look', this.#columns(open))) {
        const request = open[number(row, 0) - 1]
        const verdict = verdictOf(row)
        if (request !== undefined && verdict !== null) verdicts.set(request, verdict)
      }
    }
    return requests.map((request) => verdicts.get(request) ?? { kind: 'new' })
  }

  async end(ends: readonly ShadowEnd[]): Promise<void> {
    const sorted = ends.toSorted(byId)
    await runAlone(this.#link, 'shadow-end', [this.#link.now(), ids(sorted), texts(sorted, ({ holder }) => holder), texts(sorted, ({ as }) => as)])
  }

  async sweepShadow(limit: number): Promise<number> {
    return (await runAlone(this.#link, 'shadow-sweep', [this.#link.now(), limit])).length
  }

  #columns(requests: readonly ShadowRequest[]): Value[] {
    return [
      this.#link.now(), ids(requests), texts(requests, ({ fingerprint }) => fingerprint), texts(requests, ({ spec }) => spec), texts(requests, ({ parts }) => parts),
      texts(requests, ({ holder }) => holder), numbers(requests, ({ leaseMs }) => leaseMs), numbers(requests, ({ retentionMs }) => retentionMs),
    ]
  }
}

/** Base64url sorts otherwise than the bytes do, but the same way in every process. */
function byId({ id: one }: { readonly id: string }, { id: other }: { readonly id: string }): number {
  return one < other ? -1 : 1
}

/** Null for a row that has to be asked about once more. */
function verdictOf(row: Row): ShadowVerdict | null {
  const verdict = text(row, 1)
  switch (verdict) {
    case 'new': case 'replay': case 'in_flight': case 'uncertain': return { kind: verdict }
    case 'mismatch': return { kind: 'mismatch', parts: text(row, 2) }
    default: return null
  }
}

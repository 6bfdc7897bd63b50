import { Counter, type Registry } from 'prom-client'
import { NO_CLIENT, OTHER_CLIENT } from '../core/client-name.ts'
import { DIFFERING_PARTS, type DifferingPart } from '../core/mismatch.ts'
import { Table } from './table.ts'

/** Clients name themselves, so only so many get series of their own; those that come later are `other`. */
const MOST_CLIENTS = 32

/**
 * Keys that were used again for another request, by who did it. Series of a client begin with its first mismatch, at 1: `increase` does
 * not see that one, and an alert has to ask for what was not there before as well (`unless ... offset`).
 */
export class MismatchMetrics {
  readonly #table = new Table()
  readonly #clients = new Set<string>()

  constructor(registry: Registry) {
    const table = this.#table
    registry.registerMetric(new Counter({
      name: 'onceward_mismatches_total', help: 'Keys that were used again for another request, by the client that did and the first part that differed.', labelNames: ['client', 'part', 'route'], registers: [],
      collect() { table.pourInto(this, ['client', 'part', 'route']) },
    }))
  }

  begin(routes: readonly string[]): void {
    for (const route of routes) for (const part of DIFFERING_PARTS) for (const client of [NO_CLIENT, OTHER_CLIENT]) this.#table.add(0, client, part, route)
  }

  add(client: string, part: DifferingPart, route: string): void {
    this.#table.add(1, this.#nameFor(client), part, route)
  }

  #nameFor(client: string): string {
    if (client === NO_CLIENT || client === OTHER_CLIENT || this.#clients.has(client)) return client
    if (this.#clients.size >= MOST_CLIENTS) return OTHER_CLIENT
    this.#clients.add(client)
    return client
  }
}

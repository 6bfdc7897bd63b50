import { setTimeout as after } from 'node:timers/promises'
import { between, chance, oneOf } from '../chance.ts'
import type { Client, Operation, Session } from '../client.ts'
import type { RouteName } from '../protocol.ts'

/* Clients that go on asking, through whatever happens, and remember what they wanted. */

export interface LoadOptions {
  readonly seed: number
  readonly client: Client
  /** where to ask; called for each asking */
  readonly address: () => string
  /** operations under way together */
  readonly lanes: number
  readonly routes: readonly [RouteName, ...RouteName[]]
  /** of one operation, all at once */
  readonly senders: readonly [least: number, most: number]
  /** how often an operation is asked again once it has ended, anywhere */
  readonly echoes: number
  /** share of operations whose clients ask once and are never heard of again */
  readonly leavers: number
}

/** Asking again takes as long as a client takes; what is asked at the end does not have to fit into connections. */
const LAST_LANES = 48

export class Load {
  readonly operations: Operation[] = []
  readonly #options: LoadOptions
  readonly #random: () => number
  #probes = 0

  constructor(options: LoadOptions) {
    this.#options = options
    this.#random = chance(options.seed, 'load')
  }

  /** Until `stop`, and until there were so many operations; then what is under way is left alone. */
  async run(stop: AbortSignal, count = Infinity): Promise<void> {
    const { client, address, lanes, echoes } = this.#options
    const session: Session = { askings: Infinity, last: false, over: () => stop.aborted, address }
    await Promise.all(Array.from({ length: lanes }, async () => {
      while (!stop.aborted && this.operations.length < count) {
        const operation = this.#next()
        if (operation.comesBack) await Promise.all(Array.from({ length: operation.senders }, () => client.pursue(operation, session)))
        else await client.ask(address(), operation)
        for (let echo = 0; operation.comesBack && echo < echoes && !stop.aborted; echo += 1) await client.ask(address(), operation)
      }
    }))
  }

  /** Sends new keys there until one of them is answered. */
  async served(address: string, withinMs: number): Promise<void> {
    const signal = AbortSignal.timeout(withinMs)
    while (!signal.aborted) {
      this.#probes += 1
      const probe: Operation = { key: `probe-${this.#options.seed}-${this.#probes}`, route: 'hold', senders: 1, comesBack: true }
      this.operations.push(probe)
      if ((await this.#options.client.ask(address, probe)).kind === 'answer') return
      await after(10)
    }
    throw new Error(`no new key was answered within ${withinMs} ms`)
  }

  /**
   * Asks every operation whose client comes back to its end at one address, and then at another: the last word about
   * its key. Returns those that did not end.
   */
  async last(addresses: readonly string[], withinMs: number): Promise<Set<string>> {
    const { client } = this.#options
    const signal = AbortSignal.timeout(withinMs)
    const unended = new Set<string>()
    const left = this.operations.filter(({ comesBack }) => comesBack).entries()
    await Promise.all(Array.from({ length: LAST_LANES }, async () => {
      for (const [i, operation] of left) {
        const here = addresses[i % addresses.length] ?? ''
        const session: Session = { askings: Infinity, last: true, over: () => signal.aborted, address: () => here }
        const there = addresses[(i + 1) % addresses.length] ?? ''
        // the other one may not have heard yet that its own settle was written, and says until then that it is in flight
        for (const address of [here, there]) if (!await client.pursue(operation, { ...session, address: () => address })) unended.add(operation.key)
      }
    }))
    return unended
  }

  #next(): Operation {
    const { seed, routes, senders: [least, most], leavers } = this.#options
    const operation: Operation = {
      key: `key-${seed}-${this.operations.length}`, route: oneOf(this.#random, routes), senders: between(this.#random, least, most), comesBack: this.#random() >= leavers,
    }
    this.operations.push(operation)
    return operation
  }
}

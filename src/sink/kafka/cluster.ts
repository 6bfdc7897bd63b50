import { isIP } from 'node:net'
import type { API, Connection, ConnectionOptions } from '@platformatic/kafka'
import type { Clock } from '../../core/ports.ts'
import type { KafkaSettings } from '../../core/sink-settings.ts'
import { AGAIN, failedConnection, failedRequest, hostPort, KafkaFailure } from './failure.ts'
import { GivenUp, type Patience } from './patience.ts'

/*
 * The brokers, as far as a producer needs them: who leads which partition of the topic, who coordinates what, and a connection
 * to each. The library's connections and its encoding of requests are used, and nothing above them: its producer sends again by
 * itself, after other batches, under a new identity, when it lost track of its sequence numbers, and so repeats and reorders.
 */

export type Library = typeof import('@platformatic/kafka')

export interface Broker {
  readonly host: string
  readonly port: number
}

/** Who leads the partitions of the topic; null: nobody just now. */
export type Layout = readonly (Broker | null)[]

export type CoordinatorOf = 'group' | 'transaction'

const COORDINATOR_TYPES: Readonly<Record<CoordinatorOf, number>> = { group: 0, transaction: 1 }
/** How long a layout is believed: new partitions are written to after that at the latest. */
const LAYOUT_FOR_MS = 300_000
const CONNECT_WITHIN_MS = 10_000
/** Our own time is over before that. */
const REQUEST_SPARE_MS = 5000
const AGAIN_AFTER_MS = { first: 10, most: 250 } as const

export class Cluster {
  readonly library: Library
  readonly #settings: KafkaSettings
  readonly #clock: Clock
  readonly #connections = new Map<string, Connection>()
  readonly #coordinators = new Map<string, Broker>()
  #known: readonly Broker[] = []
  #layout: { readonly leaders: Layout, readonly readAtMs: number } | null = null

  constructor(library: Library, settings: KafkaSettings, clock: Clock) {
    this.library = library
    this.#settings = settings
    this.#clock = clock
  }

  /** One request to this broker. Rejects with a `KafkaFailure`. */
  async request<A extends unknown[], R>(broker: Broker, patience: Patience, api: API<A, R>, ...args: A): Promise<R> {
    const connection = await this.#connection(broker, patience)
    try {
      return await patience.for(api.async(connection, ...args))
    } catch (error) {
      const failure = error instanceof GivenUp ? new KafkaFailure('silent', 'out of time') : failedRequest(error)
      // an answer that comes later is to meet nobody
      if (failure.kind === 'silent') this.#drop(broker, connection)
      throw failure
    }
  }

  /** One request to whichever broker answers first. */
  async requestAny<A extends unknown[], R>(patience: Patience, api: API<A, R>, ...args: A): Promise<R> {
    let last: KafkaFailure | null = null
    for (const broker of this.#everywhere()) {
      try {
        return await this.request(broker, patience, api, ...args)
      } catch (error) {
        if (!(error instanceof KafkaFailure) || error.kind === 'answered' || patience.over) throw error
        last = error
      }
    }
    throw last ?? new KafkaFailure('unreachable', 'no broker is known')
  }

  /** One request to a coordinator, repeated as `repeated` says. */
  async requestCoordinator<A extends unknown[], R>(of: CoordinatorOf, key: string, stubborn: boolean, patience: Patience, api: API<A, R>, ...args: A): Promise<R> {
    return this.repeated(stubborn, patience, async () => {
      try {
        return await this.request(await this.#coordinator(of, key, patience), patience, api, ...args)
      } catch (error) {
        if (error instanceof KafkaFailure && error.code !== 'CONCURRENT_TRANSACTIONS') this.#coordinators.delete(`${of} ${key}`)
        throw error
      }
    })
  }

  /** Asks again while the broker wants that. `stubborn`: also when no answer comes; for what may be asked twice. */
  async repeated<R>(stubborn: boolean, patience: Patience, ask: () => Promise<R>): Promise<R> {
    for (let pauseMs: number = AGAIN_AFTER_MS.first; ; pauseMs = Math.min(AGAIN_AFTER_MS.most, pauseMs * 2)) {
      try {
        return await ask()
      } catch (error) {
        if (!(error instanceof KafkaFailure)) throw error
        const again = error.kind === 'answered' ? AGAIN.has(error.code) : stubborn
        if (!again || patience.over) throw error
        await patience.pause(pauseMs).catch(() => { throw error })
      }
    }
  }

  async layout(patience: Patience): Promise<Layout> {
    if (this.#layout !== null && this.#clock.monotonicMs() - this.#layout.readAtMs < LAYOUT_FOR_MS) return this.#layout.leaders
    const { topic } = this.#settings
    const response = await this.requestAny(patience, this.library.metadataV9.api, [topic], false)
    const brokers = new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
    const partitions = response.topics.find(({ name }) => name === topic)?.partitions ?? []
    if (partitions.length === 0) throw new KafkaFailure('answered', 'UNKNOWN_TOPIC_OR_PARTITION')
    const leaders = new Array<Broker | null>(partitions.length).fill(null)
    for (const { partitionIndex, leaderId } of partitions) leaders[partitionIndex] = brokers.get(leaderId) ?? null
    this.#known = [...brokers.values()]
    this.#layout = { leaders, readAtMs: this.#clock.monotonicMs() }
    return leaders
  }

  /** Asked for anew before the next batch. */
  forgetLayout(): void {
    this.#layout = null
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.socket?.destroy()
    this.#connections.clear()
  }

  async #coordinator(of: CoordinatorOf, key: string, patience: Patience): Promise<Broker> {
    const known = this.#coordinators.get(`${of} ${key}`)
    if (known !== undefined) return known
    const { coordinators } = await this.requestAny(patience, this.library.findCoordinatorV3.api, COORDINATOR_TYPES[of], [key])
    const [found] = coordinators
    if (found === undefined) throw new KafkaFailure('answered', 'COORDINATOR_NOT_AVAILABLE')
    const broker = { host: found.host, port: found.port }
    this.#coordinators.set(`${of} ${key}`, broker)
    return broker
  }

  /** Connected ones first, then those that the cluster named, then those of the configuration. */
  #everywhere(): Broker[] {
    const all = new Map([...this.#known, ...this.#settings.brokers].map((broker) => [hostPort(broker), broker]))
    return [...all.values()].toSorted((a, b) => Number(this.#connections.has(hostPort(b))) - Number(this.#connections.has(hostPort(a))))
  }

  async #connection(broker: Broker, patience: Patience): Promise<Connection> {
    const name = hostPort(broker)
    const known = this.#connections.get(name)
    try {
      if (known !== undefined) {
        if (!known.isConnected()) await patience.for(known.ready())
        return known
      }
      const connection = this.#open(broker)
      this.#connections.set(name, connection)
      // both: the library tells of a failure after the connection stood by the event alone, and nobody else listens
      const forget = (): void => { if (this.#connections.get(name) === connection) this.#connections.delete(name) }
      connection.on('error', forget)
      connection.on('close', forget)
      await patience.for(Promise.resolve(connection.connect(broker.host, broker.port)))
      return connection
    } catch (error) {
      const connection = this.#connections.get(name)
      if (connection !== undefined) this.#drop(broker, connection)
      throw error instanceof GivenUp ? new KafkaFailure('unreachable', 'out of time') : failedConnection(error)
    }
  }

  #open(broker: Broker): Connection {
    const { tls, sasl, timeoutMs, clientId } = this.#settings
    const options: ConnectionOptions = { connectTimeout: Math.min(timeoutMs, CONNECT_WITHIN_MS), requestTimeout: timeoutMs + REQUEST_SPARE_MS }
    if (tls !== null) {
      options.tls = tls.ca === null ? {} : { ca: tls.ca }
      if (isIP(broker.host) === 0) options.tlsServerName = broker.host
    }
    if (sasl !== null) options.sasl = { ...sasl }
    return new this.library.Connection(clientId, options)
  }

  #drop(broker: Broker, connection: Connection): void {
    if (this.#connections.get(hostPort(broker)) === connection) this.#connections.delete(hostPort(broker))
    connection.socket?.destroy()
  }
}

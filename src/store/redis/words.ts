import type { KeyId } from '../../core/record.ts'
import type { Client } from './connection.ts'

/** What is said to all processes of a service: something may have become of a flagged key, or a reply was buried. */
export type Topic = 'wake' | 'buried'

const TOPICS: readonly Topic[] = ['wake', 'buried']

/**
 * Words over Redis pub/sub, one channel per service and topic with the ids in the message. One connection listens, the one
 * for commands speaks. A word may be lost; whoever hears one goes and looks.
 */
export class Words {
  readonly #speaker: Client
  readonly #listener: Client
  readonly #service: string
  readonly #ears = new Map<Topic, Set<(id: KeyId) => void>>(TOPICS.map((topic) => [topic, new Set()]))
  #unsaid = new Map<Topic, Set<KeyId>>()

  constructor(speaker: Client, listener: Client, service: string) {
    this.#speaker = speaker
    this.#listener = listener
    this.#service = service
    listener.on('message', (channel: string, message: string) => {
      const topic = TOPICS.find((one) => this.#channel(one) === channel)
      if (topic !== undefined) for (const id of message.split(',')) for (const hear of this.#ears.get(topic) ?? []) hear(id)
    })
    // ioredis does not by itself (connection.ts)
    listener.on('ready', () => void listener.subscribe(...TOPICS.map((topic) => this.#channel(topic))).catch(() => undefined))
  }

  hear(topic: Topic, hear: (id: KeyId) => void): void {
    this.#ears.get(topic)?.add(hear)
  }

  /** Not waited for. What is said in one turn is one message. */
  say(topic: Topic, ids: readonly KeyId[]): void {
    if (ids.length === 0) return
    if (this.#unsaid.size === 0) queueMicrotask(() => this.#speak())
    const unsaid = this.#unsaid.get(topic) ?? new Set()
    this.#unsaid.set(topic, unsaid)
    for (const id of ids) unsaid.add(id)
  }

  close(): void {
    this.#listener.disconnect()
  }

  #speak(): void {
    const unsaid = this.#unsaid
    this.#unsaid = new Map()
    for (const [topic, ids] of unsaid) void this.#speaker.publish(this.#channel(topic), [...ids].join(',')).catch(() => undefined)
  }

  #channel(topic: Topic): string {
    return `onceward:${this.#service}:${topic}`
  }
}

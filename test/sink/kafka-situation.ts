import type { Test } from 'tap'
import { openKafkaSink } from '../../src/sink/kafka.ts'
import { systemClock } from '../../src/host/clock.ts'
import type { Delivery, Outgoing } from '../../src/core/delivery.ts'
import type { Sink } from '../../src/core/outbox-ports.ts'
import type { KafkaSettings } from '../../src/core/sink-settings.ts'
import type { Address } from '../support/services/kafka-client.ts'

const clock = systemClock()

export const DELIVERED: Delivery = { kind: 'delivered' }

export async function kafkaTo(t: Pick<Test, 'teardown'>, broker: Address, topic: string, more: Partial<KafkaSettings> = {}): Promise<Sink> {
  const settings: KafkaSettings = { kind: 'kafka', brokers: [{ host: broker.host, port: broker.port }], topic, clientId: 'onceward', transactionalId: null, tls: null, sasl: null, timeoutMs: 30_000, ...more }
  const sink = await openKafkaSink('payments', settings, { clock })
  t.teardown(() => sink.close())
  return sink
}

let rows = 0

/** `count` events that follow each other, in so many lanes. */
export function eventsIn(lanes: number, count: number): Outgoing[] {
  return Array.from({ length: count }, (_, n) => {
    rows += 1
    const id = `evt_${String(rows).padStart(22, '0')}`
    return { row: rows, id, lane: `lane-${n % lanes}`, type: 'charge.created', payload: Buffer.from(JSON.stringify({ id, n, padding: 'x'.repeat(220) })), committedAt: 0, attempts: 0, firstFailedMs: null, attempt: 1 }
  })
}

export function never(): AbortSignal {
  return new AbortController().signal
}

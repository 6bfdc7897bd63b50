import type { Test } from 'tap'
import type { Delivery, Outgoing } from '../../src/core/delivery.ts'
import type { Sink } from '../../src/core/outbox-ports.ts'
import type { WebhookSettings } from '../../src/core/sink-settings.ts'
import { systemClock } from '../../src/host/clock.ts'
import { openWebhookSink, type WebhookDeps } from '../../src/sink/webhook.ts'

export const SECRET = Buffer.alloc(32, 7)
export const LOOPBACK = { address: '127.0.0.0', prefix: 8 }

export function webhookTo(t: Pick<Test, 'teardown'>, url: URL | string, settings: Partial<WebhookSettings> = {}, deps: Partial<WebhookDeps> = {}): Sink {
  const sink = openWebhookSink('hook', { kind: 'webhook', url: new URL(url), secrets: [SECRET], timeoutMs: 5000, allow: [LOOPBACK], headers: [], ...settings }, { clock: systemClock(), ...deps })
  t.teardown(() => sink.close())
  return sink
}

export async function deliverOne(sink: Sink, event: Outgoing, signal: AbortSignal = new AbortController().signal): Promise<Delivery> {
  const [delivery, ...more] = await sink.deliver([event], signal)
  if (delivery === undefined || more.length > 0) throw new Error('one event has one end')
  return delivery
}

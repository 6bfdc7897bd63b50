import type { Test } from 'tap'
import { readTopic } from '../../support/services/kafka-client.ts'
import { startKafka } from '../../support/services/kafka.ts'
import { relayScene } from './scene.ts'

export interface BrokersOutcome {
  readonly events: number
  readonly distinct: number
  /** records that a reader of committed ones sees beyond the first of an id */
  readonly duplicates: number
  /** lanes in which an event stands behind a later one */
  readonly disordered: readonly string[]
  /** rows that are left */
  readonly left: number
  readonly tookMs: number
}

/** What happens at evenly spread moments of the deliveries, in turn. */
const FAULTS = ['relay', 'broker', 'relay', 'pause', 'relay', 'shutdown'] as const

/**
 * Events go to Kafka in transactions while the relay is killed with -9, the broker is killed with -9, stands still for longer than a call
 * may take, and is shut down and started again.
 */
export async function brokersCampaign(t: Pick<Test, 'teardown'>, { events, lanes, faults }: { readonly events: number, readonly lanes: number, readonly faults: number }): Promise<BrokersOutcome> {
  const kafka = await startKafka(t)
  const topic = await kafka.topic(4)
  const scene = await relayScene(t, () => `kafka: { brokers: ["${kafka.host}:${kafka.port}"], topic: ${topic}, transactional_id: chaos-relay, timeout: 2s }`, `
    base: 20ms
    cap: 500ms
    lease: 1s
    batch: 100
    catch_up: { above: 1h }`)
  await scene.fill({ events, lanes, agedMs: 0, name: 'lane' })
  const left = (): Promise<number> => scene.count('true')
  const startedAt = performance.now()
  await scene.sidecar.start()
  for (let fault = 0; fault < faults; fault += 1) {
    const until = Math.floor(events * (faults - fault) / (faults + 1))
    for (let waited = 0; waited < 3000 && await left() > until; waited += 1) await pause(10)
    switch (FAULTS[fault % FAULTS.length]) {
      case 'broker':
        await kafka.kill()
        await pause(500)
        await kafka.restart()
        break
      case 'pause':
        kafka.pause()
        await pause(3000)
        kafka.resume()
        break
      case 'shutdown':
        await kafka.shutDown()
        await kafka.restart()
        break
      case 'relay':
      case undefined:
        await scene.sidecar.kill()
        await scene.sidecar.start()
        break
    }
  }
  await scene.emptied(90_000)
  const tookMs = performance.now() - startedAt
  await scene.sidecar.stop()
  const records = await readTopic(kafka, topic, 'read_committed')
  const ids = records.map(({ headers }) => headers['ce_id'] ?? '')
  return { events, distinct: new Set(ids).size, duplicates: ids.length - new Set(ids).size, disordered: disorderedKeys(records), left: await left(), tookMs }
}

function disorderedKeys(records: readonly { readonly key: string, readonly value: Buffer }[]): string[] {
  const last = new Map<string, number>()
  const disordered = new Set<string>()
  for (const { key, value } of records) {
    const place = Number(/"place":(\d+)/.exec(value.toString('utf8'))?.[1])
    if (place <= (last.get(key) ?? 0)) disordered.add(key)
    last.set(key, place)
  }
  return [...disordered]
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}

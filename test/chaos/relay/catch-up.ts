import type { Test } from 'tap'
import { fullestSecond, startReceiver, type Arrival } from './receiver.ts'
import { relayScene, webhookAt } from './scene.ts'

export interface CatchUpOutcome {
  readonly arrivals: readonly Arrival[]
  /** the most that any sliding second saw */
  readonly fullest: number
  readonly rate: number
  readonly left: number
  readonly tookMs: number
}

/**
 * What GitHub had in October 2018, in small: events wait from an outage in which the relay has lost its lease, and more arrive while
 * they are delivered. What is out when the machine holds the receiver up reaches it all at once, and no sender can help that: so no
 * more than 40 ms of the rate may be out.
 */
export async function catchUpCampaign(t: Pick<Test, 'teardown'>, { events, lanes, rate, rampS, freshPerSecond }: { readonly events: number, readonly lanes: number, readonly rate: number, readonly rampS: number, readonly freshPerSecond: number }): Promise<CatchUpOutcome> {
  const receiver = await startReceiver(t, () => 200)
  const scene = await relayScene(t, webhookAt(receiver.url), `
    lease: 2s
    concurrency: ${Math.round(rate / 25)}
    catch_up: { above: 10s, rate: ${rate}, ramp: ${rampS}s }`)
  await scene.fill({ events, lanes, agedMs: 600_000, name: 'old' })
  await scene.postgres.query(`INSERT INTO onceward.relay_lease (sink, holder, fence, lease_until) VALUES ('hook', 'gone', 7, floor(extract(epoch FROM now()) * 1000) + 1000)`)
  const startedAt = performance.now()
  await scene.sidecar.start()
  let fresh = 0
  const bunch = Math.max(1, Math.round(freshPerSecond / 5))
  for (const untilMs = (events / rate + rampS) * 500; performance.now() < startedAt + untilMs;) {
    await scene.fill({ events: bunch, lanes: bunch, agedMs: 0, name: `new${fresh}` })
    fresh += bunch
    await new Promise((resolve) => { setTimeout(resolve, 200) })
  }
  await receiver.distinct(events + fresh, (events / rate + rampS) * 2000 + 30_000)
  await scene.emptied(30_000)
  const tookMs = performance.now() - startedAt
  await scene.sidecar.stop()
  return { arrivals: receiver.arrivals, fullest: fullestSecond(receiver.arrivals), rate, left: await scene.count('true'), tookMs }
}

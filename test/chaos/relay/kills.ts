import type { Test } from 'tap'
import { chance } from '../chance.ts'
import { disordered, startReceiver } from './receiver.ts'
import { relayScene, webhookAt } from './scene.ts'

export interface KillsOutcome {
  readonly events: number
  readonly distinct: number
  /** arrivals beyond the first of an id */
  readonly duplicates: number
  readonly disordered: readonly string[]
  readonly forged: readonly string[]
  /** rows that are left */
  readonly left: number
  readonly kills: number
  readonly tookMs: number
}

/** Rows that commit when the second half has begun, with lower numbers than those that were delivered before them. */
const LATE = 50

/**
 * The relay is killed with -9 as often as it is said, evenly over the deliveries, and started again; the receiver breaks off 5% of the
 * calls, before they arrive or after.
 */
export async function killsCampaign(t: Pick<Test, 'teardown'>, { events, lanes, kills, seed }: { readonly events: number, readonly lanes: number, readonly kills: number, readonly seed: number }): Promise<KillsOutcome> {
  const random = chance(seed, 'receiver')
  const receiver = await startReceiver(t, () => {
    const dice = random()
    return dice < 0.025 ? 'cut' : dice < 0.05 ? 'lost' : 200
  })
  const scene = await relayScene(t, webhookAt(receiver.url), `
    base: 20ms
    cap: 500ms
    lease: 1s
    attempts: 50
    catch_up: { above: 1h }`)
  const commitLate = await scene.fillOpen({ events: LATE, lanes: LATE, agedMs: 0, name: 'late' })
  await scene.fill({ events, lanes, agedMs: 0, name: 'lane' })
  const startedAt = performance.now()
  await scene.sidecar.start()
  for (let kill = 1; kill <= kills; kill += 1) {
    await receiver.distinct(Math.floor(events * kill / (kills + 1)), 60_000)
    await scene.sidecar.kill()
    if (kill === Math.ceil(kills / 2)) await commitLate()
    await scene.sidecar.start()
  }
  await receiver.distinct(events + LATE, 120_000)
  // the last ones may have arrived without an answer: they are sent once more
  await scene.emptied(30_000)
  const tookMs = performance.now() - startedAt
  await scene.sidecar.stop()
  return {
    events: events + LATE, distinct: receiver.ids.size, duplicates: receiver.arrivals.length - receiver.ids.size, disordered: disordered(receiver.arrivals),
    forged: receiver.forged, left: await scene.count('true'), kills, tookMs,
  }
}

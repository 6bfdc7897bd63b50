import { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import { catchUpCampaign } from './catch-up.ts'
import { killsCampaign } from './kills.ts'
import { disordered, startReceiver } from './receiver.ts'
import { relayScene, webhookAt } from './scene.ts'

/* `npm run chaos:relay` in small. */

test('I7 No event lost: a relay that is killed, and a receiver that breaks off, cost duplicates under the same ids, and nothing else', async (t) => {
  needs(t, 'postgres')
  const outcome = await killsCampaign(t, { events: 2000, lanes: 100, kills: 3, seed: 1 })
  t.match(outcome, { distinct: outcome.events, disordered: [], forged: [], left: 0 })
  t.ok(outcome.duplicates > 0, `${outcome.duplicates} duplicates`)
})

test('what an outage has left arrives paced: no second sees more than 1.1 times the rate', async (t) => {
  needs(t, 'postgres')
  const { fullest, left, tookMs } = await catchUpCampaign(t, { events: 3000, lanes: 300, rate: 800, rampS: 1, freshPerSecond: 50 })
  t.ok(fullest <= 880, `${fullest} in the fullest second`)
  t.equal(left, 0)
  t.ok(tookMs > 3000, `it took ${Math.round(tookMs)} ms`)
})

test('a leader that stands still is replaced within its lease, and starts no delivery when it goes on', async (t) => {
  needs(t, 'postgres')
  const receiver = await startReceiver(t, () => 200)
  const scene = await relayScene(t, webhookAt(receiver.url), `
    lease: 3s
    catch_up: { above: 10s, rate: 300, ramp: 0s }`)
  await scene.fill({ events: 3000, lanes: 100, agedMs: 600_000, name: 'lane' })
  await scene.sidecar.start()
  await receiver.distinct(50, 20_000) // it leads before there is another one
  await scene.second.start()
  scene.sidecar.pause()
  const pausedAt = performance.now()
  const arrivedThen = receiver.arrivals.length
  await receiver.distinct(arrivedThen + 300, 20_000)
  scene.sidecar.resume()
  await receiver.distinct(3000, 30_000)
  const firstOfTwo = receiver.arrivals.findIndex(({ by }) => by === 'two')
  const tookMs = (receiver.arrivals[firstOfTwo]?.atMs ?? Infinity) - pausedAt
  t.ok(tookMs > 0 && tookMs < 6000, `taken over after ${Math.round(tookMs)} ms`)
  t.same(receiver.arrivals.slice(firstOfTwo).filter(({ by }) => by === 'one'), [], 'the stale one has sent nothing more')
  t.same(disordered(receiver.arrivals), [])
  await scene.emptied(10_000)
  t.equal(await scene.count('true'), 0)
})

test('a poisoned event holds up its lane alone, is a dead letter, and arrives once it is redriven', async (t) => {
  needs(t, 'postgres')
  let cured = false
  const receiver = await startReceiver(t, (id) => (id === 'evt_lane_3' && !cured ? 422 : 200))
  const scene = await relayScene(t, webhookAt(receiver.url), `
    attempts: 3
    base: 20ms
    cap: 50ms`)
  await scene.fill({ events: 100, lanes: 10, agedMs: 0, name: 'lane' })
  await scene.sidecar.start()
  await receiver.distinct(90, 20_000)
  for (let i = 0; i < 100 && await scene.count('dead_at is not null') === 0; i += 1) await new Promise((resolve) => { setTimeout(resolve, 50) })
  t.equal(await scene.count("dead_at is not null and id = 'evt_lane_3' and attempts = 3"), 1)
  t.equal(await scene.count("dead_at is null and lane = 'lane-3'"), 9, 'what stands behind it waits')
  t.notOk(receiver.arrivals.some(({ lane }) => lane === 'lane-3'))
  const metrics = await (await fetch(`${scene.sidecar.adminOrigin}/metrics`)).text()
  t.match(metrics, /dead_letter_queue_depth\{sink="hook"\} 1\n/)
  t.match(metrics, /onceward_deliveries_total\{sink="hook",outcome="dead"\} 1\n/)
  t.match(metrics, /onceward_relay_leader\{sink="hook"\} 1\n/)
  cured = true
  const { status, output } = scene.redrive('evt_lane_3')
  t.equal(status, 0, output)
  await receiver.distinct(100, 20_000)
  t.same(receiver.arrivals.filter(({ lane }) => lane === 'lane-3').map(({ place }) => place), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  await scene.sidecar.stop()
})

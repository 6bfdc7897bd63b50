import { test } from 'tap'
import { Circuit } from '../../../src/store/redis/circuit.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function scene(uniform = 1) {
  const clock = new FakeClock()
  const probes: number[] = []
  const server = { answers: true }
  const changes: boolean[] = []
  const circuit = new Circuit({ clock, random: { uniform: () => uniform, token: () => '' }, probe: () => {
    probes.push(clock.monotonicMs())
    return Promise.resolve(server.answers)
  }, changed: (closed) => changes.push(closed) })
  return { clock, probes, server, circuit, changes }
}

test('it begins open, closes when a probe is answered, and opens at once when something is wrong', async (t) => {
  const { clock, circuit, probes, changes } = scene()
  t.notOk(circuit.closed)
  await clock.advance(200)
  t.ok(circuit.closed)
  circuit.trip()
  t.notOk(circuit.closed)
  circuit.trip()
  t.equal(probes.length, 1, 'a trip is no probe')
  t.strictSame(changes, [true, false])
})

test('pauses between probes double up to 5 s, and are jittered down to half', async (t) => {
  const pausesOf = async (uniform: number): Promise<number[]> => {
    const { clock, server, probes } = scene(uniform)
    server.answers = false
    const startedAt = clock.monotonicMs()
    for (let n = 0; n < 40; n += 1) await clock.advance(1000)
    return probes.slice(0, 8).map((at, i) => at - (probes[i - 1] ?? startedAt))
  }
  t.strictSame(await pausesOf(1), [200, 400, 800, 1600, 3200, 5000, 5000, 5000])
  t.strictSame(await pausesOf(0), [100, 200, 400, 800, 1600, 2500, 2500, 2500])
})

test('who answers probes and nothing else is asked less and less often; who was well for long is forgiven', async (t) => {
  const { clock, circuit, probes } = scene()
  await clock.advance(200)
  for (const pause of [400, 800, 1600]) {
    circuit.trip()
    const at = clock.monotonicMs()
    await clock.advance(pause)
    t.equal((probes.at(-1) ?? 0) - at, pause)
    t.ok(circuit.closed)
  }
  await clock.advance(10_001)
  circuit.trip()
  await clock.advance(200)
  t.ok(circuit.closed)
})

test('a connection that is back ends the pause', async (t) => {
  const { clock, circuit, server, probes } = scene()
  server.answers = false
  await clock.advance(3000)
  server.answers = true
  circuit.hurry()
  await clock.advance(0)
  t.ok(circuit.closed)
  const before = probes.length
  circuit.hurry()
  t.equal(probes.length, before, 'when it is closed there is nothing to hurry')
})

test('stopped, it probes no more', async (t) => {
  const { clock, circuit, probes } = scene()
  circuit.stop()
  circuit.stop()
  await clock.advance(60_000)
  t.strictSame([probes, circuit.closed], [[], false])
})

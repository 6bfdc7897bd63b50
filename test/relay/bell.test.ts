import { test } from 'tap'
import { Bell } from '../../src/relay/bell.ts'
import { LocalWakeups } from '../../src/store/local-wakeups.ts'
import { FakeClock } from '../support/fake-clock.ts'

function rung() {
  const clock = new FakeClock()
  const bell = new Bell(new LocalWakeups(), clock)
  const at: number[] = []
  const from = clock.monotonicMs()
  bell.hear('hook', () => at.push(clock.monotonicMs() - from))
  return { clock, bell, at }
}

test('a ring is heard at once, by those of its sink alone', async (t) => {
  const { bell, at } = rung()
  bell.ring('other')
  t.same(at, [])
  bell.ring('hook')
  t.same(at, [0])
})

test('many rings are at most twenty a second, and the last one is heard', async (t) => {
  const { clock, bell, at } = rung()
  for (let i = 0; i <= 1010; i += 1) {
    bell.ring('hook')
    await clock.advance(1)
  }
  t.ok(at.length <= 22, `${at.length} within a second`)
  await clock.advance(100)
  t.ok((at.at(-1) ?? 0) >= 1010, 'what came last was not lost')
})

test('a bell that stops says what is still to be said', async (t) => {
  const { bell, at } = rung()
  bell.ring('hook')
  bell.ring('hook')
  bell.stop()
  t.equal(at.length, 2)
})

import { test } from 'tap'
import { SystemLoopDelay, usualDelayMs } from '../../src/host/loop-delay.ts'

/** Holds up every other turn of the loop, until `seen` says that it was noticed. */
async function hold(ms: number, seen: () => boolean): Promise<void> {
  const lock = new Int32Array(new SharedArrayBuffer(4))
  while (!seen()) {
    Atomics.wait(lock, 0, 0, ms)
    await new Promise((resolve) => { setTimeout(resolve, 1) })
  }
}

test('a loop that is held up for long turns is late, and on time again once it is let go', async (t) => {
  const delay = new SystemLoopDelay()
  t.teardown(() => delay.stop())
  t.equal(delay.recentMs(), 0)
  delay.start()
  delay.start()
  await hold(300, () => delay.recentMs() > 150)
  await hold(0, () => delay.recentMs() < 150)
  t.pass('it was late and is no more')
})

test('one pause, however long, makes no loop late', async (t) => {
  const ms = (...samples: readonly number[]): number => {
    const mean = samples.reduce((sum, sample) => sum + sample, 0) / samples.length
    return usualDelayMs({ count: samples.length, mean: mean * 1e6, max: Math.max(...samples) * 1e6 })
  }
  t.equal(ms(50, 50, 9000, 50), 0, 'stopped for nine seconds and continued')
  t.equal(ms(250, 250, 250, 250), 200, 'late in every turn')
  t.equal(ms(50, 450, 50, 450), 133 + 1 / 3, 'late in every other turn')
  t.equal(ms(49, 50), 0, 'a timer that came early')
})

import { test } from 'tap'
import { FakeClock } from '../support/fake-clock.ts'
import { flowOver } from '../support/flow.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { ANSWERED, refused, ScheduledUpstream } from '../support/scheduled-upstream.ts'

/** A clock that counts what was asked of it. */
class CountingClock extends FakeClock {
  timers = 0

  override after(delayMs: number, task: () => void): () => void {
    this.timers += 1
    return super.after(delayMs, task)
  }
}

async function timersOf(first: typeof ANSWERED, yaml: string): Promise<number> {
  const clock = new CountingClock()
  const ends = new ScheduledUpstream(new FakeClock(), [{ outcome: first, takesMs: 0 }, { outcome: ANSWERED, takesMs: 0 }])
  const flow = await flowOver(new MemoryKeyStore(clock), {
    yaml, clock, wakeups: null,
    attempt(request, limits) {
      void ends.attempt(request, limits)
      return { outcome: Promise.resolve(ends.seen.length === 1 ? first : ANSWERED), abort: () => undefined }
    },
  })
  const answering = flow.send('k1')
  await clock.advance(0) // it is on its way
  await clock.advance(1000)
  await answering
  return clock.timers
}

test('a first attempt that is answered makes no timer of the retry loop, whatever the route says about retries', async (t) => {
  const [none, all] = [await timersOf(ANSWERED, 'defaults: { retry: { attempts: 1 } }'), await timersOf(ANSWERED, 'defaults: { retry: { attempts: 10, per_try_timeout: 1s, base: 1s } }')]
  t.equal(all, none)
  t.ok(await timersOf(refused(), 'defaults: { retry: { base: 1ms } }') > none, 'one that is refused does')
})

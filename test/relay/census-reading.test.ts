import { test } from 'tap'
import type { SinkCensus } from '../../src/core/outbox.ts'
import { StoreUnavailable } from '../../src/core/ports.ts'
import { CensusReading } from '../../src/relay/census-reading.ts'
import { deferred } from '../support/deferred.ts'
import { FakeClock } from '../support/fake-clock.ts'

const COUNTED: readonly SinkCensus[] = [{ sink: 'hook', lagMs: 5, dead: 1 }]

function reading(answer: () => Promise<readonly SinkCensus[]>) {
  const clock = new FakeClock()
  const asked: (readonly string[])[] = []
  const census = (sinks: readonly string[]): Promise<readonly SinkCensus[]> => {
    asked.push(sinks)
    return answer()
  }
  return { clock, asked, reading: new CensusReading({ census }, () => ['hook'], clock) }
}

test('the store is asked once a second, however often somebody scrapes', async (t) => {
  const { reading: one, clock, asked } = reading(() => Promise.resolve(COUNTED))
  for (let i = 0; i < 5; i += 1) t.same(await one.read(), COUNTED)
  t.same(asked, [['hook']])
  await clock.advance(1000)
  await one.read()
  t.equal(asked.length, 2)
})

test('a store that does not say in time says nothing, and is not asked again before it does', async (t) => {
  const held = deferred<readonly SinkCensus[]>()
  const { reading: one, clock, asked } = reading(() => held.promise)
  const first = one.read()
  await clock.advance(1000)
  t.equal(await first, null)
  await clock.advance(5000)
  t.equal(await one.read(), null)
  t.equal(asked.length, 1)
  held.resolve(COUNTED)
  await clock.advance(0)
  t.same(await one.read(), COUNTED)
})

test('an outage is no figure', async (t) => {
  const { reading: one } = reading(() => Promise.reject(new StoreUnavailable('no', 'away')))
  t.equal(await one.read(), null)
})

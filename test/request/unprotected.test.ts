import { test } from 'tap'
import { OutageLog } from '../../src/request/unprotected.ts'
import { FakeClock } from '../support/fake-clock.ts'

test('an outage is a line every ten seconds, each with what was sent since the one before', async (t) => {
  const clock = new FakeClock()
  const lines: unknown[] = []
  const log = new OutageLog(clock, { settled: () => undefined, info: () => undefined, routine: () => undefined, error: () => undefined, warn: (event, detail) => lines.push({ event, ...detail }) })
  for (let i = 0; i < 25_000; i += 1) {
    log.note('charge')
    await clock.advance(1)
  }
  t.strictSame(lines, [
    { event: 'store.failed-open', route: 'charge', requests: 1 },
    { event: 'store.failed-open', route: 'charge', requests: 10_000 },
    { event: 'store.failed-open', route: 'charge', requests: 10_000 },
  ])
})

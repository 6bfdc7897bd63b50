import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'
import { test } from 'tap'
import { SpanQueue } from '../../src/telemetry/span-queue.ts'
import { FakeClock } from '../support/fake-clock.ts'

const SPAN = {} as ReadableSpan

/** A collector whose calls end when the test says so. */
function scene() {
  const calls: { readonly spans: number, end(taken: boolean): void }[] = []
  const exporter: SpanExporter = {
    export: (spans, told) => void calls.push({ spans: spans.length, end: (taken) => told({ code: taken ? 0 : 1 }) }),
    shutdown: () => Promise.resolve(),
  }
  const dropped: Record<string, number> = { queue: 0, export: 0 }
  const clock = new FakeClock()
  const queue = new SpanQueue(exporter, clock, (why, spans) => { dropped[why] = (dropped[why] ?? 0) + spans })
  const end = (spans: number): void => { for (let i = 0; i < spans; i += 1) queue.onEnd(SPAN) }
  const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })
  return { calls, dropped, clock, queue, end, settled }
}

test('what gathers within a second leaves together', async (t) => {
  const { calls, clock, end } = scene()
  end(3)
  await clock.advance(999)
  t.equal(calls.length, 0)
  await clock.advance(1)
  t.strictSame(calls.map(({ spans }) => spans), [3])
})

test('a collector that is slow gets one call at a time, and what finds no room is dropped and counted', async (t) => {
  const { calls, dropped, clock, end, settled } = scene()
  end(512)
  t.strictSame(calls.map(({ spans }) => spans), [512], 'a full batch does not wait')
  end(4096 + 7)
  await clock.advance(60_000)
  t.equal(calls.length, 1)
  t.strictSame(dropped, { queue: 7, export: 0 })
  calls[0]?.end(false)
  await settled()
  t.strictSame(calls.map(({ spans }) => spans), [512, 512], 'the next one')
  t.strictSame(dropped, { queue: 7, export: 512 })
})

test('at its end everything leaves, and what is not taken in time is dropped and counted', async (t) => {
  const { calls, dropped, queue, end, settled } = scene()
  end(1000)
  calls[0]?.end(true)
  await settled()
  const stopped = queue.stop(300)
  t.strictSame(calls.map(({ spans }) => spans), [512, 488])
  end(1)
  t.strictSame(dropped, { queue: 1, export: 0 }, 'nothing comes in any more')
  calls[1]?.end(true)
  await stopped
  t.strictSame(dropped, { queue: 1, export: 0 })

  const hung = scene()
  hung.end(1030)
  const given = hung.queue.stop(300)
  await hung.clock.advance(300)
  await given
  t.strictSame([hung.calls.length, hung.dropped], [1, { queue: 518, export: 0 }])
  hung.calls[0]?.end(false)
  await hung.settled()
  t.strictSame([hung.calls.length, hung.dropped], [1, { queue: 518, export: 512 }])
  await queue.stop(1)
})

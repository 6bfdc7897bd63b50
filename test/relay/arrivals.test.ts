import { test } from 'tap'
import { DeliveredArrivals } from '../../src/relay/arrivals.ts'

const [WINDOW_MS, NOW] = [5000, 1_000_000_000]

test('what was committed within the window counts, what is older does not', async (t) => {
  const arrived = new DeliveredArrivals(WINDOW_MS)
  arrived.add(NOW - WINDOW_MS, NOW)
  arrived.add(NOW - 4000, NOW)
  arrived.add(NOW - 10, NOW)
  t.equal(arrived.within(NOW), 2)
  t.equal(arrived.within(NOW + 2000), 1)
  t.equal(arrived.within(NOW + WINDOW_MS + 1000), 0)
})

test('a day of deliveries without a catch-up, in which nobody asks, keeps no more than the window', async (t) => {
  const arrived = new DeliveredArrivals(WINDOW_MS)
  for (let ms = 0; ms < 86_400_000; ms += 200) arrived.add(NOW + ms, NOW + ms + 20)
  t.ok(arrived.kept <= 22, `${arrived.kept} slices`)
})

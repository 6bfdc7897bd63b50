import { test } from 'tap'
import { RecentlyReplayed } from '../../src/store/recently-replayed.ts'

test('an id is known when it comes again, also a generation later', async (t) => {
  const replayed = new RecentlyReplayed()
  t.strictSame([replayed.again('a'), replayed.again('a')], [false, true])
  for (let i = 0; i < 2048; i += 1) replayed.again(`other ${i}`)
  t.equal(replayed.again('a'), true)
})

test('what came long ago is forgotten', async (t) => {
  const replayed = new RecentlyReplayed()
  replayed.again('a')
  for (let i = 0; i < 3 * 2048; i += 1) replayed.again(`other ${i}`)
  t.equal(replayed.again('a'), false)
})

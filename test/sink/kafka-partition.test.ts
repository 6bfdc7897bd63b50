import { test } from 'tap'
import { murmur2, partitionOf } from '../../src/sink/kafka/partition.ts'
import { decodeNote, encodeNote, Published } from '../../src/sink/kafka/published.ts'
import { eventsIn } from './kafka-situation.ts'

test('a key is hashed as Java does it', async (t) => {
  // what Apache Kafka's own test of Utils.murmur2 expects
  const expected: readonly (readonly [string, number])[] = [
    ['21', -973932308], ['foobar', -790332482], ['a-little-bit-long-string', -985981536], ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971], ['abc', 479470107],
  ]
  for (const [key, hash] of expected) t.equal(murmur2(Buffer.from(key)), hash, key)
  t.equal(partitionOf(Buffer.from('21'), 7), (-973932308 & 0x7fffffff) % 7)
  t.ok(partitionOf(Buffer.alloc(0), 3) >= 0)
})

test('a note of 500 events says which they were, in what a broker takes', async (t) => {
  const events = eventsIn(9, 500).map((event, n) => ({ ...event, row: 4_000_000_000_000 + n * 16_000 }))
  const note = encodeNote(events.toReversed(), 0x85) ?? ''
  t.ok(note.length > 0 && note.length <= 4096, `${note.length} characters`)
  t.strictSame([...decodeNote(note).hashes.keys()], events.map(({ row }) => row))
  t.equal(decodeNote(note).open, 0x85)
  t.equal(encodeNote(eventsIn(9, 1000).map((event, n) => ({ ...event, row: n * 5_000_000 })), 0), null)
  for (const foreign of ['', 'not ours', Buffer.from([2, 5, 1, 2, 3]).toString('base64url')]) t.equal(decodeNote(foreign).hashes.size, 0, foreign)
})

test('the same row with another id is another event', async (t) => {
  const [event] = eventsIn(1, 1)
  if (event === undefined) return t.fail('no event')
  const published = new Published([{ counter: 7, metadata: encodeNote([event], 0) ?? '' }])
  t.ok(published.has(event))
  t.notOk(published.has({ ...event, id: 'evt_of_a_store_that_began_anew' }))
  t.notOk(published.has({ ...event, row: event.row + 1 }))
})

test('notes are overwritten in turn, and those last whose events nobody has asked for yet', async (t) => {
  const published = new Published()
  const untold = eventsIn(3, 5)
  published.commit({ slot: 0, counter: 0 }, untold)
  for (let counter = 1; counter < 100; counter += 1) {
    const next = published.next()
    const events = eventsIn(3, 5)
    published.commit(next, events)
    published.told(events)
    const kept = next.counter === counter && next.slot !== 0 && next.open === 1 && [...untold, ...events].every((event) => published.has(event))
    if (!kept) t.fail(`not kept: ${counter}`)
  }
  published.told(untold)
  t.equal(published.next().slot, 0)
})

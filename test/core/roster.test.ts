import { test } from 'tap'
import { Roster, type Place } from '../../src/core/roster.ts'

test('who enters is there until they leave, in the order of arrival', async (t) => {
  const roster = new Roster<string>()
  const places = ['a', 'b', 'c', 'd'].map((who) => roster.enter(who))
  const leave = (i: number): void => roster.leave(places[i] ?? roster.enter('nobody'))
  t.strictSame([...roster], ['a', 'b', 'c', 'd'])
  leave(1)
  t.strictSame([...roster], ['a', 'c', 'd'], 'from the middle')
  leave(0)
  leave(3)
  t.strictSame([...roster], ['c'], 'from both ends')
  leave(3)
  t.equal(roster.size, 1, 'leaving twice is leaving once')
  leave(2)
  t.strictSame([...roster], [])
  roster.enter('e')
  t.strictSame([...roster], ['e'], 'an empty roster fills again')
})

test('who leaves while the roster is read does not confuse the reader', async (t) => {
  const roster = new Roster<number>()
  const places = new Map<number, Place<number>>()
  for (let n = 0; n < 5; n += 1) places.set(n, roster.enter(n))
  const seen: number[] = []
  for (const n of roster) {
    seen.push(n)
    for (const place of places.values()) roster.leave(place)
  }
  t.strictSame(seen, [0, 1, 2, 3, 4])
  t.equal(roster.size, 0)
})

test('a place that was left holds nobody any more, and no neighbours', async (t) => {
  const roster = new Roster<object>()
  const [one, two] = [roster.enter({}), roster.enter({})]
  roster.leave(one)
  t.strictSame(one, { item: null, previous: null, next: null })
  t.equal(two.previous, null)
})

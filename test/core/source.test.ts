import { test } from 'tap'
import { judgePage, MOST_GAPS, positionAtBeginning, positionAtEnd, positionText, readPosition, type Gap, type Judgement, type Numbered, type Page, type Position } from '../../src/core/source.ts'

const PATIENCE = { holdMs: 10_000, lateMs: 60_000 }

function rows(...orders: number[]): Numbered[] {
  return orders.map((order) => ({ order: BigInt(order) }))
}

/** `running`: the oldest transaction that runs, null for none; `next`: the id that the look took. */
function page(at: number, above: readonly Numbered[], { running = null, next = 100, late = [] }: { running?: number | null, next?: number, late?: readonly Numbered[] } = {}): Page<Numbered> {
  return { rows: above, late, isFull: false, xmin: BigInt(running ?? next), mark: BigInt(next), at }
}

function orders({ taken }: Judgement<Numbered>): number[] {
  return taken.map(({ order }) => Number(order))
}

function ranges(gaps: readonly Gap[]): [number, number][] {
  return gaps.map(({ from, to }) => [Number(from), Number(to)])
}

const START: Position = { cursor: 0n, gaps: [] }

test('rows without a gap are taken at once, whoever else writes', (t) => {
  const judged = judgePage(START, [], page(0, rows(1, 2, 3), { running: 50 }), PATIENCE)
  t.strictSame([orders(judged), judged.position, judged.held], [[1, 2, 3], { cursor: 3n, gaps: [] }, []])
  t.end()
})

test('what is missing holds up what is above it until it comes, and then all leave in order', (t) => {
  const first = judgePage(START, [], page(0, rows(1, 2, 4, 5), { running: 50 }), PATIENCE)
  t.strictSame([orders(first), first.position.cursor, ranges(first.held)], [[1, 2], 2n, [[3, 3]]])
  const second = judgePage(first.position, first.held, page(100, rows(4, 5), { running: 50 }), PATIENCE)
  t.strictSame([orders(second), second.position.cursor], [[], 2n], 'its transaction still runs')
  const third = judgePage(second.position, second.held, page(200, rows(3, 4, 5), { running: 60 }), PATIENCE)
  t.strictSame([orders(third), third.position, third.held], [[3, 4, 5], { cursor: 5n, gaps: [] }, []])
  t.end()
})

test('the first look at a gap proves nothing, also where nobody writes any more; the second one does', (t) => {
  const first = judgePage(START, [], page(0, rows(1, 3)), PATIENCE)
  t.strictSame([orders(first), ranges(first.held)], [[1], [[2, 2]]])
  const tooSoon = judgePage(first.position, first.held, page(10, rows(3)), PATIENCE)
  t.strictSame(orders(tooSoon), [], 'whoever has just taken a number may not have an id yet')
  const second = judgePage(tooSoon.position, tooSoon.held, page(30, rows(3)), PATIENCE)
  t.strictSame([orders(second), second.position.cursor, ranges(second.position.gaps), second.overdue], [[3], 3n, [[2, 2]], 0], 'it was rolled back, and is watched nevertheless')
  t.end()
})

test('a gap is passed when every transaction of its second look has ended, however many have begun since', (t) => {
  const first = judgePage(START, [], page(0, rows(2), { running: 90, next: 100 }), PATIENCE)
  const second = judgePage(first.position, first.held, page(50, rows(2), { running: 90, next: 105 }), PATIENCE)
  t.equal(second.held[0]?.horizon, 105n)
  const third = judgePage(second.position, second.held, page(100, rows(2), { running: 104, next: 140 }), PATIENCE)
  t.strictSame(orders(third), [], 'one that ran then still runs')
  const fourth = judgePage(third.position, third.held, page(150, rows(2), { running: 105, next: 150 }), PATIENCE)
  t.strictSame(orders(fourth), [2])
  t.end()
})

test('several gaps of one page grow old together, and parts of one keep its age', (t) => {
  const first = judgePage(START, [], page(0, rows(1, 3, 9), { running: 50 }), PATIENCE)
  t.strictSame(ranges(first.held), [[2, 2], [4, 8]])
  const second = judgePage(first.position, first.held, page(100, rows(3, 6, 9), { running: 50 }), PATIENCE)
  t.strictSame(ranges(second.held), [[2, 2], [4, 5], [7, 8]])
  t.strictSame(second.held.map(({ noticedAt, horizon }) => [noticedAt, horizon]), [[0, 100n], [0, 100n], [0, 100n]])
  const third = judgePage(second.position, second.held, page(200, rows(3, 6, 9), { running: 100 }), PATIENCE)
  t.strictSame([orders(third), ranges(third.position.gaps)], [[3, 6, 9], [[2, 2], [4, 5], [7, 8]]])
  t.end()
})

test('a transaction that stays open holds up for so long and no longer, and its row is taken when it comes', (t) => {
  const first = judgePage(START, [], page(0, rows(2), { running: 50 }), PATIENCE)
  const second = judgePage(first.position, first.held, page(9999, rows(2), { running: 50 }), PATIENCE)
  t.strictSame([orders(second), second.overdue], [[], 0])
  const third = judgePage(second.position, second.held, page(10_000, rows(2, 3), { running: 50 }), PATIENCE)
  t.strictSame([orders(third), third.overdue, ranges(third.position.gaps)], [[2, 3], 1, [[1, 1]]])
  const hoursLater = judgePage(third.position, third.held, page(7_200_000, rows(4), { running: 50 }), PATIENCE)
  t.strictSame([orders(hoursLater), ranges(hoursLater.position.gaps), hoursLater.forgotten], [[4], [[1, 1]], 0], 'as long as it runs')
  const last = judgePage(hoursLater.position, hoursLater.held, page(7_200_100, rows(5), { late: rows(1) }), PATIENCE)
  t.strictSame([orders(last), last.position], [[1, 5], { cursor: 5n, gaps: [] }])
  t.end()
})

test('a late row takes its number out of the gap that it was in, and no other', (t) => {
  const gap: Gap = { from: 10n, to: 20n, noticedAt: 0, horizon: 90n }
  const judged = judgePage({ cursor: 30n, gaps: [gap] }, [], page(1000, [], { late: rows(10, 14, 15, 20) }), PATIENCE)
  t.strictSame([orders(judged), ranges(judged.position.gaps)], [[10, 14, 15, 20], [[11, 13], [16, 19]]])
  t.end()
})

test('what nobody can fill is forgotten after a while, and not before', (t) => {
  const gap: Gap = { from: 10n, to: 20n, noticedAt: 0, horizon: 90n }
  const at = (ms: number, running: number | null): Judgement<Numbered> => judgePage({ cursor: 30n, gaps: [gap] }, [], page(ms, [], { running }), PATIENCE)
  t.strictSame(ranges(at(59_999, null).position.gaps), [[10, 20]])
  t.strictSame(ranges(at(60_000, 89).position.gaps), [[10, 20]], 'one of its transactions runs')
  t.strictSame([ranges(at(60_000, null).position.gaps), at(60_000, null).forgotten], [[], 1])
  t.end()
})

test('gaps without number do not make a position without bound', (t) => {
  const gaps = Array.from({ length: MOST_GAPS + 10 }, (_, i): Gap => ({ from: BigInt(i * 2), to: BigInt(i * 2), noticedAt: 0, horizon: i === 0 ? 100n : 50n }))
  const judged = judgePage({ cursor: BigInt(MOST_GAPS * 4), gaps }, [], page(100, [], { running: 99 }), PATIENCE)
  t.equal(judged.position.gaps.length, MOST_GAPS)
  t.equal(judged.position.gaps[0]?.from, 0n, 'one that may still be filled is never given up for it')
  t.equal(judged.forgotten, 10)
  t.end()
})

test('reading begins before the oldest row, or behind the newest one with what is missing before it watched', (t) => {
  t.equal(positionAtBeginning(null).cursor, 0n)
  t.equal(positionAtBeginning(1_000n).cursor, 0n, 'a smaller one may be on its way')
  t.equal(positionAtBeginning(-5n).cursor, -6n)
  const end = positionAtEnd(page(7, rows(90, 91, 95)))
  t.strictSame([end.cursor, ranges(end.gaps)], [95n, [[92, 94]]])
  t.strictSame(positionAtEnd(page(7, [])), { cursor: 0n, gaps: [] })
  t.end()
})

test('a position comes back from its text as it was, beyond the numbers of JSON too', (t) => {
  const position: Position = { cursor: 9223372036854775807n, gaps: [{ from: -3n, to: 9007199254740993n, noticedAt: 5, horizon: null }, { from: 1n, to: 2n, noticedAt: 6, horizon: 7n }] }
  t.strictSame(readPosition(positionText(position)), position)
  for (const other of ['{}', '{"v":2,"cursor":"1","gaps":[]}', '{"v":1,"cursor":1,"gaps":[]}', '{"v":1,"cursor":"1","gaps":[["a","2",0,null]]}', '[]', 'null']) t.equal(readPosition(other), undefined, other)
  t.end()
})

import { test } from 'tap'
import { hasComeBelow, judgePage, MOST_GAPS, positionAtBeginning, positionAtEnd, positionText, readPosition, type Gap, type Judgement, type Numbered, type Page, type Position } from '../../src/core/source.ts'

const PATIENCE = { holdMs: 10_000, lateMs: 60_000 }

function rows(...orders: number[]): Numbered[] {
  return orders.map((order) => ({ order: BigInt(order) }))
}

interface Seen {
  /** the oldest transaction that runs, of all those before `next`; null for none */
  readonly running?: number | null
  readonly next?: number
  readonly late?: readonly Numbered[]
  readonly isLateCut?: boolean
  /** what the clock of the application's database says */
  readonly at?: number
}

/** A look that is answered in the millisecond in which it was asked. */
function judged({ position, held = [] }: { readonly position: Position, readonly held?: readonly Gap[] }, ms: number, above: readonly Numbered[], { running = null, next = 100, late = [], isLateCut = false, at = ms }: Seen = {}, patience = PATIENCE): Judgement<Numbered> {
  const page: Page<Numbered> = {
    rows: above, late, isCut: { above: false, late: isLateCut }, xmin: BigInt(running ?? next), next: BigInt(next), newest: [...late, ...above].at(-1)?.order ?? null, at,
  }
  return judgePage(position, held, page, { askedMs: ms, answeredMs: ms }, patience)
}

function orders({ taken }: Judgement<Numbered>): number[] {
  return taken.map(({ order }) => Number(order))
}

function ranges(gaps: readonly Gap[]): [number, number][] {
  return gaps.map(({ from, to }) => [Number(from), Number(to)])
}

function gap(from: number, to: number, age: Partial<Gap> = {}): Gap {
  return { from: BigInt(from), to: BigInt(to), noticedAtMs: 0, horizon: null, lastHorizon: null, ...age }
}

const START: { readonly position: Position } = { position: { cursor: 0n, gaps: [] } }

test('rows without a gap are taken at once, whoever else writes', (t) => {
  const { position, held, ...look } = judged(START, 0, rows(1, 2, 3), { running: 50 })
  t.strictSame([look.taken.length, position, held], [3, { cursor: 3n, gaps: [] }, []])
  t.end()
})

test('what is missing holds up what is above it until it comes, and then all leave in order', (t) => {
  const first = judged(START, 0, rows(1, 2, 4, 5), { running: 50 })
  t.strictSame([orders(first), first.position.cursor, ranges(first.held)], [[1, 2], 2n, [[3, 3]]])
  const second = judged(first, 100, rows(4, 5), { running: 50 })
  t.strictSame([orders(second), second.position.cursor], [[], 2n], 'its transaction still runs')
  const third = judged(second, 200, rows(3, 4, 5), { running: 60 })
  t.strictSame([orders(third), third.position, third.held], [[3, 4, 5], { cursor: 5n, gaps: [] }, []])
  t.end()
})

test('the first look at a gap proves nothing, also where nobody writes any more; the second one does', (t) => {
  const first = judged(START, 0, rows(1, 3))
  t.strictSame([orders(first), ranges(first.held)], [[1], [[2, 2]]])
  const tooSoon = judged(first, 10, rows(3))
  t.strictSame(orders(tooSoon), [], 'whoever has just taken a number may not have an id yet')
  const second = judged(tooSoon, 30, rows(3))
  t.strictSame([orders(second), second.position.cursor, ranges(second.position.gaps), second.overdue], [[3], 3n, [[2, 2]], 0], 'it was rolled back, and is watched nevertheless')
  t.end()
})

test('the time between two looks is that from an answer to a question: how long they took proves nothing', (t) => {
  const page = (above: readonly Numbered[]): Page<Numbered> => ({ rows: above, late: [], isCut: { above: false, late: false }, xmin: 100n, next: 100n, newest: 3n, at: 0 })
  const first = judgePage(START.position, [], page(rows(1, 3)), { askedMs: 0, answeredMs: 5000 }, PATIENCE)
  const second = judgePage(first.position, first.held, page(rows(3)), { askedMs: 5001, answeredMs: 9000 }, PATIENCE)
  t.strictSame(orders(second), [])
  t.strictSame(orders(judgePage(second.position, second.held, page(rows(3)), { askedMs: 5020, answeredMs: 9100 }, PATIENCE)), [3])
  t.end()
})

test('a gap is passed when every transaction of its second look has ended, however many have begun since', (t) => {
  const first = judged(START, 0, rows(2), { running: 90, next: 100 })
  const second = judged(first, 50, rows(2), { running: 90, next: 105 })
  t.equal(second.held[0]?.horizon, 105n)
  const third = judged(second, 100, rows(2), { running: 104, next: 140 })
  t.strictSame(orders(third), [], 'one that ran then still runs')
  const fourth = judged(third, 150, rows(2), { running: 105, next: 150 })
  t.strictSame(orders(fourth), [2])
  t.end()
})

test('several gaps of one page grow old together, and parts of one keep its age', (t) => {
  const first = judged(START, 0, rows(1, 3, 9), { running: 50 })
  t.strictSame(ranges(first.held), [[2, 2], [4, 8]])
  const second = judged(first, 100, rows(3, 6, 9), { running: 50 })
  t.strictSame(ranges(second.held), [[2, 2], [4, 5], [7, 8]])
  t.strictSame(second.held.map(({ noticedAtMs, horizon }) => [noticedAtMs, horizon]), [[0, 100n], [0, 100n], [0, 100n]])
  const third = judged(second, 200, rows(3, 6, 9), { running: 100 })
  t.strictSame([orders(third), ranges(third.position.gaps)], [[3, 6, 9], [[2, 2], [4, 5], [7, 8]]])
  t.end()
})

test('a transaction that stays open holds up for so long and no longer, and its row is taken when it comes, hours later too', (t) => {
  const first = judged(START, 0, rows(2), { running: 50 })
  const second = judged(first, 9999, rows(2), { running: 50 })
  t.strictSame([orders(second), second.overdue], [[], 0])
  const third = judged(second, 10_000, rows(2, 3), { running: 50 })
  t.strictSame([orders(third), third.overdue, ranges(third.position.gaps)], [[2, 3], 1, [[1, 1]]])
  const hoursLater = judged(third, 7_200_000, rows(4), { running: 50, next: 900 })
  t.strictSame([orders(hoursLater), ranges(hoursLater.position.gaps)], [[4], [[1, 1]]], 'as long as it runs')
  const last = judged(hoursLater, 7_200_100, rows(5), { late: rows(1), next: 901 })
  t.strictSame([orders(last), last.position], [[1, 5], { cursor: 5n, gaps: [] }])
  t.end()
})

test('a number that was taken before its transaction had an id is waited for as long as that runs, however late it commits', (t) => {
  const passed = judged(judged(START, 0, rows(2)), 50, rows(2))
  t.strictSame([orders(passed), ranges(passed.position.gaps)], [[2], [[1, 1]]], 'nobody was seen')
  const late = judged(passed, 60_000, [], { running: 120, next: 130 })
  t.strictSame(ranges(late.position.gaps), [[1, 1]], 'now somebody runs, and has had this number since then')
  const later = judged(late, 500_000, [], { running: 120, next: 990 })
  t.strictSame(ranges(later.position.gaps), [[1, 1]])
  t.strictSame(orders(judged(later, 500_100, [], { late: rows(1), next: 991 })), [1])
  t.strictSame(ranges(judged(later, 500_100, [], { running: 130, next: 991 }).position.gaps), [], 'it was rolled back')
  t.end()
})

test('a late row takes its number out of the gap that it was in, and no other', (t) => {
  const look = judged({ position: { cursor: 30n, gaps: [gap(10, 20, { horizon: 90n })] } }, 1000, [], { late: rows(10, 14, 15, 15, 20) })
  t.strictSame([orders(look), ranges(look.position.gaps)], [[10, 14, 15, 15, 20], [[11, 13], [16, 19]]])
  t.end()
})

test('what nobody can fill is forgotten after a while, and not before', (t) => {
  const at = (ms: number, running: number | null): Judgement<Numbered> => judged({ position: { cursor: 30n, gaps: [gap(10, 20, { horizon: 90n })] } }, ms, [], { running })
  t.strictSame(ranges(at(59_999, null).position.gaps), [[10, 20]])
  t.strictSame(ranges(at(60_000, 89).position.gaps), [[10, 20]], 'one of its transactions runs')
  t.strictSame(ranges(at(60_000, null).position.gaps), [])
  t.end()
})

test('rows of a transaction that come late in thousands are all taken, and nothing of their gap is forgotten in between', (t) => {
  const standing = { position: { cursor: 10_000n, gaps: [gap(1, 9000, { horizon: 90n, lastHorizon: 95n })] } }
  const first = judged(standing, 100_000, [], { late: rows(1, 2, 3), isLateCut: true })
  t.strictSame([orders(first), ranges(first.position.gaps)], [[1, 2, 3], [[4, 9000]]])
  const second = judged(first, 100_010, [], { late: rows(4, 5, 9000) })
  t.strictSame([orders(second), ranges(second.position.gaps)], [[4, 5, 9000], []])
  t.end()
})

test('gaps without number do not make a position without bound: the oldest that nobody fills go first', (t) => {
  const gaps = Array.from({ length: MOST_GAPS + 10 }, (_, i) => gap(i * 2 + 1, i * 2 + 1, { horizon: i === 0 ? 100n : 50n }))
  const { position } = judged({ position: { cursor: BigInt(MOST_GAPS * 4), gaps } }, 100, [], { running: 99 })
  t.equal(position.gaps.length, MOST_GAPS)
  t.strictSame(ranges(position.gaps).slice(0, 2), [[1, 1], [23, 23]], 'one that may still be filled is never given up for it')
  t.end()
})

test('where too many gaps may still be filled, reading waits instead of giving one up', (t) => {
  const gaps = Array.from({ length: MOST_GAPS - 1 }, (_, i) => gap(i * 2 + 1, i * 2 + 1, { horizon: 100n }))
  const standing = { position: { cursor: 20_000n, gaps }, held: [gap(20_001, 20_001, { horizon: 100n }), gap(20_003, 20_003, { horizon: 100n })] }
  const look = judged(standing, 10_000, rows(20_002, 20_004), { running: 50 })
  t.strictSame([orders(look), look.position.gaps.length, ranges(look.held), look.isCrowded], [[20_002], MOST_GAPS, [[20_003, 20_003]], true])
  const over = judged(look, 10_100, rows(20_004), { running: 100 })
  t.strictSame([orders(over), over.isCrowded], [[20_004], false])
  t.end()
})

test('a clock of the application\'s database that steps, back or forth, neither holds nor forgets', (t) => {
  const first = judged(START, 0, rows(1, 3), { running: 50, at: 1_000_000 })
  const forth = judged(first, 100, rows(3), { running: 50, at: 90_000_000 })
  t.strictSame(orders(forth), [], 'still held')
  const back = judged(forth, 10_000, rows(3), { running: 50, at: 0 })
  t.strictSame([orders(back), back.overdue], [[3], 1], '`hold` is over')
  t.end()
})

test('another server, whose ids are smaller, makes the proof begin anew', (t) => {
  const standing = { position: { cursor: 5n, gaps: [gap(2, 2, { horizon: 1_000_000n, lastHorizon: 1_000_000n })] } }
  const look = judged(standing, 70_000, [], { running: 700, next: 710 })
  t.match(look.position.gaps, [{ horizon: 710n, lastHorizon: 710n }])
  t.strictSame(ranges(judged(look, 70_100, [], { running: 710, next: 715 }).position.gaps), [], 'and end')
  t.end()
})

test('numbers that come below the position are noticed, and what comes late, or goes, is none of them', (t) => {
  const position = { cursor: 100n, gaps: [] }
  const page = (newest: bigint | null, late: readonly Numbered[] = []): Pick<Page<Numbered>, 'newest' | 'late'> => ({ newest, late })
  t.equal(hasComeBelow(80n, page(81n), position), true, 'a table that was put back to 80, and is written again')
  t.equal(hasComeBelow(null, page(81n), position), false, 'nobody has looked before')
  t.equal(hasComeBelow(100n, page(100n), position), false)
  t.equal(hasComeBelow(100n, page(40n), position), false, 'what was taken was deleted')
  t.equal(hasComeBelow(100n, page(null), position), false)
  t.equal(hasComeBelow(40n, page(41n, rows(41)), position), false, 'a late one')
  t.equal(hasComeBelow(100n, page(101n), position), false, 'a new one, which is held up')
  t.end()
})

test('reading begins before the oldest row, or behind the newest one with what is missing before it watched', (t) => {
  t.equal(positionAtBeginning(null).cursor, 0n)
  t.equal(positionAtBeginning(1_000n).cursor, 0n, 'a smaller one may be on its way')
  t.equal(positionAtBeginning(-5n).cursor, -6n)
  const end = positionAtEnd([90n, 91n, 95n], 7)
  t.strictSame(end, { cursor: 95n, gaps: [gap(92, 94, { noticedAtMs: 7 })] })
  t.strictSame(positionAtEnd([], 7), { cursor: 0n, gaps: [] })
  t.end()
})

test('a position comes back from its text, beyond the numbers of JSON too, with ages that begin anew', (t) => {
  const ranged = (from: bigint, to: bigint, noticedAtMs: number): Gap => ({ from, to, noticedAtMs, horizon: null, lastHorizon: null })
  const position: Position = { cursor: 9223372036854775807n, gaps: [{ ...ranged(-3n, 9007199254740993n, 5), horizon: 7n }, ranged(1n, 2n, 6)] }
  t.strictSame(readPosition(positionText(position), 99), { cursor: 9223372036854775807n, gaps: [ranged(-3n, 9007199254740993n, 99), ranged(1n, 2n, 99)] })
  for (const other of ['{}', '{"v":2,"cursor":"1","gaps":[]}', '{"v":1,"cursor":1,"gaps":[]}', '{"v":1,"cursor":"1","gaps":[["a","2"]]}', '{"v":1,"cursor":"1","gaps":[["1"]]}', '[]', 'null']) t.equal(readPosition(other, 0), undefined, other)
  t.end()
})

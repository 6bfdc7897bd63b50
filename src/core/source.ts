/*
 * How far an application's own outbox table has been read. Its rows are numbered when they are inserted and become visible when their
 * transaction commits, so a number may be missing now and come later, or never:
 *
 *     missing --noticed--> held (nothing above it is taken) --filled--> taken, in its place
 *                            |  '--every transaction that ran then has ended--> watched --filled after all--> taken, late
 *                            '-----`hold` is over, and one still runs---------> watched  '--`late` is over, and every transaction
 *                                                                                            of its end has ended--> forgotten: rolled back
 *
 * A cursor alone ("all above the last one") skips what commits late. That everybody who ran when a gap was noticed has ended is told by ids
 * of transactions: none below the oldest one that runs (the snapshot's xmin) runs any more. The id to compare it with is the *next* one that
 * will be given out, and not the end of the snapshot (its xmax): that is the end of those that have ended, and transactions with higher ids
 * may run, of which a snapshot says nothing.
 *
 * And yet xmin alone does not prove that a number never comes. A transaction takes a number before its first write gives it an id, and a session
 * that caches numbers (`CACHE 50`), or an application that asks for some in advance, uses them whenever it likes: none of these is among those that
 * run. So the first look at a gap proves nothing and only a later one does, when whoever was about to insert has inserted; and a gap that was
 * passed is watched for `late`, and then until all who ran at the end of `late` are gone. What comes after that is not found.
 *
 * Ages are of this process's monotonic clock: a clock that steps, here or there, neither holds nor forgets. Whoever takes over begins to count anew.
 */

/** Numbers, both included, that were missing. */
export interface Gap {
  readonly from: bigint
  readonly to: bigint
  /** by the monotonic clock, after the look that noticed it */
  readonly noticedAtMs: number
  /** whoever ran at the second look has a smaller id; null before it */
  readonly horizon: bigint | null
  /** whoever ran at the end of `late` has a smaller id; null before it */
  readonly lastHorizon: bigint | null
}

/** All rows up to the cursor were taken, or are in a gap that is watched, or will never come. */
export interface Position {
  readonly cursor: bigint
  /** in order, none above the cursor */
  readonly gaps: readonly Gap[]
}

export interface Numbered {
  readonly order: bigint
}

/** What one snapshot of the table shows. */
export interface Page<Row extends Numbered> {
  /** the first ones above the cursor, in order */
  readonly rows: readonly Row[]
  /** those in watched gaps, in order */
  readonly late: readonly Row[]
  /** there may be more above, or more in gaps */
  readonly isCut: { readonly above: boolean, readonly late: boolean }
  /** no transaction with a smaller id ran: ids without wraparound */
  readonly xmin: bigint
  /** the id that was to be given out next, read after the snapshot was taken: all that ran have smaller ones */
  readonly next: bigint
  /** the largest number in the table, taken or not; null if it is empty */
  readonly newest: bigint | null
  /** milliseconds since the epoch by the clock of the application's database: for events, and for nothing that is decided */
  readonly at: number
}

/** When a page was read, by the monotonic clock: its snapshot was taken in between. */
export interface LookTime {
  readonly askedMs: number
  readonly answeredMs: number
}

export interface Judgement<Row> {
  /** in the order in which they are to be committed: late ones first */
  readonly taken: readonly Row[]
  readonly position: Position
  /** gaps above the cursor: handed in with the next page */
  readonly held: readonly Gap[]
  /** gaps that were passed although a transaction of their time still runs */
  readonly overdue: number
  /** what is missing waits although `hold` is over: there are too many such gaps to go on */
  readonly isCrowded: boolean
}

export interface Patience {
  readonly holdMs: number
  readonly lateMs: number
}

/** Between a number that is taken and the id of the transaction that took it lie microseconds of one INSERT, unless somebody means it. */
const SECOND_LOOK_MS = 20

/** More would make each position that is written large (some 150 kB). */
export const MOST_GAPS = 5000

/** What follows from a page. `held` is what the page before left. */
export function judgePage<Row extends Numbered>({ cursor, gaps }: Position, held: readonly Gap[], page: Page<Row>, time: LookTime, patience: Patience): Judgement<Row> {
  const aged = (gap: Gap): Gap => seenAgain(gap, page, time, patience)
  const watched = gaps.flatMap((gap) => without(gap, page.late)).map(aged)
  const noticed = gapsBetween(cursor, page.rows).map((range) => aged(inherited(range, held, time)))
  const isClosed = (gap: Gap): boolean => hasEnded(gap.horizon, page)
  const mayPass = passing(MOST_GAPS - watched.filter((gap) => !isClosed(gap)).length, (gap) => time.askedMs < gap.noticedAtMs + patience.holdMs, isClosed)
  const open = noticed.find((gap) => !mayPass(gap))
  const end = open === undefined ? page.rows.at(-1)?.order ?? cursor : open.from - 1n
  const passed = noticed.filter(({ to }) => to <= end)
  // rows of a gap that were not read for being too many are not rolled back
  const standing = [...watched, ...passed].filter((gap) => page.isCut.late || !hasEnded(gap.lastHorizon, page))
  return {
    taken: [...page.late, ...page.rows.filter(({ order }) => order <= end)],
    position: { cursor: end, gaps: page.isCut.late ? standing : bounded(standing, isClosed) },
    held: noticed.filter(({ to }) => to > end),
    overdue: passed.filter((gap) => !isClosed(gap)).length,
    isCrowded: open !== undefined && time.askedMs >= open.noticedAtMs + patience.holdMs,
  }
}

/**
 * Where reading begins that is to take only what comes from now on: behind the newest row, with the numbers that are missing among `recent`
 * ones (in order, of one snapshot) watched, since their transactions may be under way.
 */
export function positionAtEnd(recent: readonly bigint[], nowMs: number): Position {
  const [first] = recent
  const last = recent.at(-1)
  if (first === undefined || last === undefined) return { cursor: 0n, gaps: [] }
  return { cursor: last, gaps: gapsBetween(first - 1n, recent.map((order) => ({ order }))).slice(-MOST_GAPS).map((range) => noticedGap(range, nowMs)) }
}

/** Where reading begins that is to take everything; identity columns count from 1 on unless somebody has told them otherwise. */
export function positionAtBeginning(smallest: bigint | null): Position {
  return { cursor: smallest === null || smallest > 0n ? 0n : smallest - 1n, gaps: [] }
}

/**
 * Whether rows have come whose numbers are below the position, where nobody looks: a table that was put back from a copy, or a sequence that was
 * set back. `before` is what was newest at an earlier look; an application that deletes what was taken only makes it smaller.
 */
export function hasComeBelow(before: bigint | null, { newest, late }: Pick<Page<Numbered>, 'newest' | 'late'>, { cursor }: Position): boolean {
  return before !== null && newest !== null && newest > before && newest <= cursor && late.length === 0
}

type Range = Pick<Gap, 'from' | 'to'>

function noticedGap({ from, to }: Range, noticedAtMs: number): Gap {
  return { from, to, noticedAtMs, horizon: null, lastHorizon: null }
}

function gapsBetween(cursor: bigint, rows: readonly Numbered[]): Range[] {
  const ranges: Range[] = []
  let expected = cursor + 1n
  for (const { order } of rows) {
    if (order > expected) ranges.push({ from: expected, to: order - 1n })
    expected = order + 1n
  }
  return ranges
}

/** A gap that was there before, or is what is left of one, goes on; any other begins. */
function inherited({ from, to }: Range, held: readonly Gap[], { answeredMs }: LookTime): Gap {
  const before = held.find((gap) => gap.from <= from && to <= gap.to)
  return before === undefined ? noticedGap({ from, to }, answeredMs) : { ...before, from, to }
}

function seenAgain(gap: Gap, { next }: Page<Numbered>, { askedMs }: LookTime, { lateMs }: Patience): Gap {
  // ids never fall: this is another server, where ids that were read before say nothing
  const horizon = gap.horizon !== null && gap.horizon > next ? null : gap.horizon
  const lastHorizon = gap.lastHorizon !== null && gap.lastHorizon > next ? null : gap.lastHorizon
  return {
    ...gap,
    horizon: horizon ?? (askedMs >= gap.noticedAtMs + SECOND_LOOK_MS ? next : null),
    lastHorizon: lastHorizon ?? (askedMs >= gap.noticedAtMs + lateMs ? next : null),
  }
}

/** Every transaction that ran when the horizon was read has ended. */
function hasEnded(horizon: bigint | null, { xmin }: Page<Numbered>): boolean {
  return horizon !== null && xmin >= horizon
}

/** Asked from the lowest gap on: those whose transactions have ended may be passed, and of the others those that were held long enough, as long as there is room. */
function passing(room: number, isYoung: (gap: Gap) => boolean, isClosed: (gap: Gap) => boolean): (gap: Gap) => boolean {
  let left = room
  return (gap) => {
    if (isClosed(gap)) return true
    left -= 1
    return !isYoung(gap) && left >= 0
  }
}

function without(gap: Gap, late: readonly Numbered[]): Gap[] {
  const left: Gap[] = []
  let from = gap.from
  for (const { order } of late) {
    if (order < from || order > gap.to) continue
    if (order > from) left.push({ ...gap, from, to: order - 1n })
    from = order + 1n
  }
  if (from <= gap.to) left.push({ ...gap, from })
  return left
}

/** The oldest that nobody fills, by what is known of those who run, are forgotten early. */
function bounded(gaps: readonly Gap[], isClosed: (gap: Gap) => boolean): Gap[] {
  let surplus = gaps.length - MOST_GAPS
  return gaps.filter((gap) => surplus <= 0 || !isClosed(gap) || (surplus -= 1) < 0)
}

const VERSION = 1

/** As the store keeps it. Numbers as texts: they may be larger than JSON's. Ages and ids are of one process and one server, and are begun anew. */
export function positionText({ cursor, gaps }: Position): string {
  return JSON.stringify({ v: VERSION, cursor: String(cursor), gaps: gaps.map(({ from, to }) => [String(from), String(to)]) })
}

/** Undefined for a text that this version did not write. */
export function readPosition(text: string, nowMs: number): Position | undefined {
  const written: unknown = JSON.parse(text)
  if (!isWritten(written)) return undefined
  return { cursor: BigInt(written.cursor), gaps: written.gaps.map(([from, to]) => noticedGap({ from: BigInt(from), to: BigInt(to) }, nowMs)) }
}

interface Written {
  readonly v: number
  readonly cursor: string
  readonly gaps: readonly (readonly [from: string, to: string])[]
}

function isWritten(value: unknown): value is Written {
  return typeof value === 'object' && value !== null && 'v' in value && value.v === VERSION && 'cursor' in value && isNumber(value.cursor) && 'gaps' in value && Array.isArray(value.gaps) && value.gaps.every(isRange)
}

function isRange(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every(isNumber)
}

function isNumber(value: unknown): boolean {
  return typeof value === 'string' && /^-?\d+$/.test(value)
}

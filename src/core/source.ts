/*
 * How far an application's own outbox table has been read. Its rows are numbered when they are inserted and become visible when their
 * transaction commits, so a number may be missing now and come later, or never:
 *
 *     missing --noticed--> held (nothing above it is taken) --filled--> taken, in its place
 *                            |  '--every transaction that ran then has ended--> watched --filled after all--> taken, late
 *                            '-----`hold` is over, and one still runs---------> watched  '--`late` is over--> forgotten: rolled back
 *
 * A cursor alone ("all above the last one") skips what commits late. That all transactions which ran when a gap was noticed have ended
 * (the oldest one that runs is younger than any that ran then) proves much, but not that nothing comes: a session with a cached sequence
 * (CACHE 50), or a transaction that took a number before its first write gave it an id, is in no snapshot. The first look at a gap therefore
 * proves nothing, only a later one does, when whoever was about to insert has inserted; and for numbers that were cached gaps stay watched for `late`.
 */

/** Numbers, both included, that were missing. */
export interface Gap {
  readonly from: bigint
  readonly to: bigint
  /** milliseconds since the epoch by the clock of the application's database */
  readonly noticedAt: number
  /** whoever ran at the second look has a smaller id; null before it */
  readonly horizon: bigint | null
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
  /** there may be more above */
  readonly isFull: boolean
  /** no transaction with a smaller id ran: ids without wraparound */
  readonly xmin: bigint
  /** an id that was given out after the look had begun, so that all that ran have smaller ones; null where nobody asked for it. (The end of the snapshot would not do: it is the end of those that have ended.) */
  readonly mark: bigint | null
  /** when it was read, by the same clock as `noticedAt` */
  readonly at: number
}

export interface Judgement<Row> {
  /** in the order in which they are to be committed: late ones first */
  readonly taken: readonly Row[]
  readonly position: Position
  /** gaps above the cursor: handed in with the next page */
  readonly held: readonly Gap[]
  /** gaps that were passed although a transaction of their time still runs */
  readonly overdue: number
  /** gaps that will not be filled any more */
  readonly forgotten: number
}

export interface Patience {
  readonly holdMs: number
  readonly lateMs: number
}

/** Between a number that is taken and the id of the transaction that took it lie microseconds of one INSERT, unless somebody means it. */
const SECOND_LOOK_MS = 20

/** More would make each position that is written large; the oldest that nobody can fill by what is known are forgotten early. */
export const MOST_GAPS = 20_000

/** What follows from a page. `held` is what the page before left. */
export function judgePage<Row extends Numbered>({ cursor, gaps }: Position, held: readonly Gap[], page: Page<Row>, patience: Patience): Judgement<Row> {
  const watched = gaps.flatMap((gap) => without(gap, page.late)).map((gap) => seenAgain(gap, page))
  const noticed = gapsBetween(cursor, page.rows).map((range) => inherited(range, held, page))
  const open = noticed.find((gap) => isHeld(gap, page, patience))
  const end = open === undefined ? page.rows.at(-1)?.order ?? cursor : open.from - 1n
  const passed = noticed.filter(({ to }) => to <= end)
  const standing = [...watched, ...passed].filter((gap) => !isClosed(gap, page) || page.at < gap.noticedAt + patience.lateMs)
  const kept = bounded(standing, page)
  return {
    taken: [...page.late, ...page.rows.filter(({ order }) => order <= end)],
    position: { cursor: end, gaps: kept },
    held: noticed.filter(({ to }) => to > end),
    overdue: passed.filter((gap) => !isClosed(gap, page)).length,
    forgotten: watched.length + passed.length - kept.length,
  }
}

/**
 * Where reading begins that is to take only what comes from now on: behind the newest row, with the numbers that are missing among `recent`
 * ones watched, since their transactions may be under way.
 */
export function positionAtEnd<Row extends Numbered>(recent: Page<Row>): Position {
  const [first] = recent.rows
  const last = recent.rows.at(-1)
  if (first === undefined || last === undefined) return { cursor: 0n, gaps: [] }
  return { cursor: last.order, gaps: gapsBetween(first.order - 1n, recent.rows).map((range) => ({ ...range, noticedAt: recent.at, horizon: null })) }
}

/** Where reading begins that is to take everything; identity columns count from 1 on unless somebody has told them otherwise. */
export function positionAtBeginning(smallest: bigint | null): Position {
  return { cursor: smallest === null || smallest > 0n ? 0n : smallest - 1n, gaps: [] }
}

type Range = Pick<Gap, 'from' | 'to'>

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
function inherited({ from, to }: Range, held: readonly Gap[], page: Page<Numbered>): Gap {
  const before = held.find((gap) => gap.from <= from && to <= gap.to)
  return before === undefined ? { from, to, noticedAt: page.at, horizon: null } : seenAgain({ ...before, from, to }, page)
}

function seenAgain(gap: Gap, { mark, at }: Page<Numbered>): Gap {
  return gap.horizon === null && at >= gap.noticedAt + SECOND_LOOK_MS ? { ...gap, horizon: mark } : gap
}

/** Whether the next look should ask for a mark: each one uses up a transaction id. */
export function wantsMark({ gaps }: Position, held: readonly Gap[]): boolean {
  return [...gaps, ...held].some(({ horizon }) => horizon === null)
}

/** Every transaction that ran at the second look has ended. */
function isClosed({ horizon }: Gap, { xmin }: Page<Numbered>): boolean {
  return horizon !== null && xmin >= horizon
}

function isHeld(gap: Gap, page: Page<Numbered>, { holdMs }: Patience): boolean {
  return !isClosed(gap, page) && page.at < gap.noticedAt + holdMs
}

function without(gap: Gap, late: readonly Numbered[]): Gap[] {
  const inside = late.filter(({ order }) => order >= gap.from && order <= gap.to)
  if (inside.length === 0) return [gap]
  const left: Gap[] = []
  let from = gap.from
  for (const { order } of inside) {
    if (order > from) left.push({ ...gap, from, to: order - 1n })
    from = order + 1n
  }
  if (from <= gap.to) left.push({ ...gap, from })
  return left
}

function bounded(gaps: readonly Gap[], page: Page<Numbered>): Gap[] {
  let surplus = gaps.length - MOST_GAPS
  return gaps.filter((gap) => surplus <= 0 || !isClosed(gap, page) || (surplus -= 1) < 0)
}

const VERSION = 1

/** As the store keeps it. Numbers as texts: they may be larger than JSON's. */
export function positionText({ cursor, gaps }: Position): string {
  return JSON.stringify({ v: VERSION, cursor: String(cursor), gaps: gaps.map(({ from, to, noticedAt, horizon }) => [String(from), String(to), noticedAt, horizon === null ? null : String(horizon)]) })
}

/** Undefined for a text that this version did not write. */
export function readPosition(text: string): Position | undefined {
  const written: unknown = JSON.parse(text)
  if (!isWritten(written)) return undefined
  return { cursor: BigInt(written.cursor), gaps: written.gaps.map(([from, to, noticedAt, horizon]) => ({ from: BigInt(from), to: BigInt(to), noticedAt, horizon: horizon === null ? null : BigInt(horizon) })) }
}

interface Written {
  readonly v: number
  readonly cursor: string
  readonly gaps: readonly (readonly [from: string, to: string, noticedAt: number, horizon: string | null])[]
}

function isWritten(value: unknown): value is Written {
  return typeof value === 'object' && value !== null && 'v' in value && value.v === VERSION && 'cursor' in value && isNumber(value.cursor) && 'gaps' in value && Array.isArray(value.gaps) && value.gaps.every(isGap)
}

function isGap(value: unknown): boolean {
  if (!Array.isArray(value)) return false
  const [from, to, noticedAt, horizon]: unknown[] = value
  return isNumber(from) && isNumber(to) && typeof noticedAt === 'number' && (horizon === null || isNumber(horizon))
}

function isNumber(value: unknown): boolean {
  return typeof value === 'string' && /^-?\d+$/.test(value)
}

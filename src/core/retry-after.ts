import { firstOf, type Fields } from './headers.ts'

/** Past a day nobody waits in a connection; without a cap a timer would overflow and fire at once. */
const LONGEST_MS = 86_400_000

/**
 * How long a reply asks to wait (RFC 9110 section 10.2.3), in milliseconds: seconds, or a date in one of the three forms of
 * section 5.6.7. A date that has passed is 0, what cannot be read is null. `Date` is not looked at: what counts is when we
 * would ask again, by our clock.
 */
export function retryAfterMs(headers: Fields, wallMs: number): number | null {
  const value = firstOf(headers, 'retry-after')?.trim()
  if (value === undefined) return null
  if (/^\d{1,15}$/.test(value)) return Math.min(Number(value) * 1000, LONGEST_MS)
  const atMs = parseHttpDate(value, wallMs)
  return atMs === null ? null : Math.min(Math.max(0, atMs - wallMs), LONGEST_MS)
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const IMF = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\d\d) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) GMT$/
const RFC_850 = /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\d\d)-(?<month>[A-Z][a-z]{2})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) GMT$/
const ASCTIME = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/

/** Milliseconds since the epoch, or null. A year of two digits that seems more than 50 years ahead is one that has passed. */
export function parseHttpDate(text: string, wallMs: number): number | null {
  const { day, month, year, time } = (IMF.exec(text) ?? RFC_850.exec(text) ?? ASCTIME.exec(text))?.groups ?? {}
  if (day === undefined || month === undefined || year === undefined || time === undefined) return null
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number)
  const index = MONTHS.indexOf(month)
  const date = Number(day)
  if (index === -1 || date < 1 || date > 31 || hours > 23 || minutes > 59 || seconds > 60) return null // 60: a leap second
  return Date.UTC(fullYear(year, wallMs), index, date, hours, minutes, seconds)
}

/** Of the Gregorian calendar: 365.2425 days. */
const MEAN_YEAR_MS = 31_556_952_000

function fullYear(year: string, wallMs: number): number {
  if (year.length === 4) return Number(year)
  const now = 1970 + Math.floor(wallMs / MEAN_YEAR_MS)
  const near = Math.floor(now / 100) * 100 + Number(year)
  return near > now + 50 ? near - 100 : near
}

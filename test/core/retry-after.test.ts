import { test } from 'tap'
import { parseHttpDate, retryAfterMs } from '../../src/core/retry-after.ts'

const NOW = Date.UTC(2026, 10, 25, 9, 0, 0)

const READINGS: readonly [string, number | null][] = [
  ['0', 0],
  ['7', 7000],
  [' 30 ', 30_000],
  ['86400', 86_400_000],
  ['86401', 86_400_000],
  ['999999999999999', 86_400_000],
  ['Wed, 25 Nov 2026 09:00:30 GMT', 30_000],
  ['Wednesday, 25-Nov-26 09:00:30 GMT', 30_000],
  ['Wed Nov 25 09:00:30 2026', 30_000],
  ['Tue Dec  1 09:00:00 2026', 86_400_000],
  ['Wed, 25 Nov 2026 08:59:59 GMT', 0],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 0],
  ['-1', null],
  ['1.5', null],
  ['1e3', null],
  ['0x10', null],
  ['', null],
  ['soon', null],
  ['Wed, 25 Nov 2026 09:00:30 UTC', null],
  ['Wed, 25 Nov 2026 29:00:30 GMT', null],
  ['Wed, 45 Nov 2026 09:00:30 GMT', null],
  ['Wed, 25 Foo 2026 09:00:30 GMT', null],
  ['2026-11-25T09:00:30Z', null],
]

for (const [text, ms] of READINGS) {
  test(`Retry-After: ${text} is ${ms === null ? 'not read' : `${ms} ms`}`, async (t) => {
    t.equal(retryAfterMs(['X', '1', 'Retry-After', text], NOW), ms)
  })
}

test('without the field nothing is asked for', async (t) => {
  t.equal(retryAfterMs([], NOW), null)
})

test('the three forms of one date are one date, and a year of two digits is near', async (t) => {
  const at = Date.UTC(1994, 10, 6, 8, 49, 37)
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) t.equal(parseHttpDate(text, NOW), at)
  t.equal(parseHttpDate('Sunday, 06-Nov-30 08:49:37 GMT', NOW), Date.UTC(2030, 10, 6, 8, 49, 37))
})

import { test } from 'tap'
import { durationText, nearDurations, nearSizes, parseDuration, parseSize } from '../../src/config/units.ts'

test('a duration is a whole number with a unit', (t) => {
  const right: [string, number][] = [['250ms', 250], ['60s', 60_000], ['5m', 300_000], ['24h', 86_400_000], ['30d', 2_592_000_000], ['0s', 0], ['007s', 7000]]
  for (const [text, ms] of right) t.equal(parseDuration(text), ms, text)
  t.end()
})

test('a duration without a unit, with a fraction, a sign, a space or two units is none', (t) => {
  for (const text of ['60', '', 's', '1.5h', '-1s', '+1s', '1 s', '1h30m', '1S', '1w', '1e3s', '60s\n', ' 60s', '1234567890123s', '٣s', 'NaN', 'constructor']) t.equal(parseDuration(text), undefined, text)
  t.end()
})

test('a size counts in powers of 1024', (t) => {
  const right: [string, number][] = [['512B', 512], ['64KiB', 65_536], ['8MiB', 8_388_608], ['1GiB', 1_073_741_824]]
  for (const [text, bytes] of right) t.equal(parseSize(text), bytes, text)
  t.end()
})

test('KB and MB are refused, because they mean 1000 to some and 1024 to others', (t) => {
  for (const text of ['8MB', '8KB', '8M', '8mib', '8', '1.5MiB', '8 MiB', '60s']) t.equal(parseSize(text), undefined, text)
  t.end()
})

test('who leaves the unit out is shown how it could have been meant', (t) => {
  t.strictSame(nearDurations('60'), ['60s', '60m', '60h'])
  t.strictSame(nearDurations('5 min'), ['5m'])
  t.strictSame(nearDurations('30Sec'), ['30s'])
  t.strictSame(nearDurations('2weeks'), ['14d'])
  t.strictSame(nearDurations('soon'), [])
  t.strictSame(nearDurations('5 lightyears'), [])
  t.strictSame(nearSizes('8MB'), ['8MiB'])
  t.strictSame(nearSizes('1024'), ['1024B'])
  t.strictSame(nearSizes('64 k'), ['64KiB'])
  t.strictSame(nearSizes('big'), [])
  t.end()
})

test('a duration is written in its largest unit that leaves nothing over', (t) => {
  for (const text of ['0ms', '250ms', '60001ms', '90m', '23h', '30d']) t.equal(durationText(parseDuration(text) ?? -1), text)
  t.equal(durationText(60_000), '1m')
  t.end()
})

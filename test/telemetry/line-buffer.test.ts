import { test } from 'tap'
import { LineBuffer } from '../../src/telemetry/line-buffer.ts'
import { FakeClock } from '../support/fake-clock.ts'

function buffer() {
  const clock = new FakeClock()
  const writes: string[] = []
  return { clock, writes, lines: new LineBuffer({ write: (text) => writes.push(text), flushSync: () => writes.push('<flushed>') }, clock) }
}

test('lines leave together after a fifth of a second', async (t) => {
  const { clock, writes, lines } = buffer()
  lines.write('a\n')
  lines.write('b\n')
  t.same(writes, [])
  await clock.advance(200)
  t.same(writes, ['a\nb\n'])
  await clock.advance(1000)
  t.same(writes, ['a\nb\n'], 'and an idle buffer does nothing')
})

test('many lines do not wait', async (t) => {
  const { clock, writes, lines } = buffer()
  for (let i = 0; i < 3; i += 1) lines.write('x'.repeat(22_000))
  t.equal(writes.join('').length, 66_000)
  await clock.advance(1000)
  t.equal(writes.length, 1)
})

test('at the end everything is written, down to what the destination holds', async (t) => {
  const { writes, lines } = buffer()
  lines.write('last\n')
  lines.flushSync()
  t.same(writes, ['last\n', '<flushed>'])
})

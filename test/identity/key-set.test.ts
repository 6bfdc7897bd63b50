import { test } from 'tap'
import { KeySet } from '../../src/identity/key-set.ts'
import { FakeClock } from '../support/fake-clock.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** A set whose every read is counted, and answered when the test says so, or at once. */
function situation() {
  const clock = new FakeClock()
  const failures: unknown[] = []
  const script = { reads: 0, read: (n: number): Promise<string> => Promise.resolve(`keys ${n}`) }
  const set = new KeySet(() => script.read(script.reads += 1), clock, (error) => failures.push(error))
  return { set, clock, script, failures }
}

const DOWN = () => Promise.reject(new Error('down'))

test('keys are read once for all who ask at the same time, and then kept', async (t) => {
  const { set, clock, script } = situation()
  t.strictSame(await Promise.all(Array.from({ length: 100 }, () => set.current())), Array.from({ length: 100 }, () => 'keys 1'))
  await clock.advance(9 * MINUTE)
  t.equal(await set.current(), 'keys 1')
  t.equal(script.reads, 1)
})

test('keys that age are used while they are read again beside it', async (t) => {
  const { set, clock, script } = situation()
  await set.current()
  await clock.advance(10 * MINUTE)
  t.equal(await set.current(), 'keys 1', 'nobody waits for the issuer')
  await clock.advance(0)
  t.equal(await set.current(), 'keys 2')
  t.equal(script.reads, 2)
})

test('while the issuer does not answer, keys are good for half a day and no longer', async (t) => {
  const { set, clock, script, failures } = situation()
  await set.current()
  script.read = DOWN
  await clock.advance(12 * HOUR - 1)
  t.equal(await set.current(), 'keys 1')
  await clock.advance(1)
  t.equal(await set.current(), null)
  t.ok(failures.length > 0)
  script.read = () => Promise.resolve('keys again')
  await clock.advance(5000)
  t.equal(await set.current(), 'keys again')
})

test('without any keys every failure is followed by a pause, however many ask', async (t) => {
  const { set, clock, script, failures } = situation()
  script.read = DOWN
  t.equal(await set.current(), null)
  for (let i = 0; i < 100; i += 1) t.equal(await set.current(), null)
  t.equal(script.reads, 1)
  t.equal(set.pauseMs, 5000)
  await clock.advance(4999)
  await set.current()
  t.equal(script.reads, 1)
  await clock.advance(1)
  await set.current()
  t.equal(script.reads, 2)
  t.equal(failures.length, 2, 'and each is told once')
})

test('a key that is not there is looked for once in a pause', async (t) => {
  const { set, clock, script } = situation()
  const keys = await set.current() ?? ''
  t.strictSame(await set.beyond(keys), { kind: 'same' }, 'they were read a moment ago')
  await clock.advance(30_000)
  const renewed = await Promise.all(Array.from({ length: 100 }, () => set.beyond(keys)))
  t.strictSame(renewed, Array.from({ length: 100 }, () => ({ kind: 'newer', keys: 'keys 2' })))
  t.strictSame(await set.beyond(keys), { kind: 'newer', keys: 'keys 2' }, 'who still has the old ones is given the new ones')
  for (let i = 0; i < 100; i += 1) t.strictSame(await set.beyond('keys 2'), { kind: 'same' })
  t.equal(script.reads, 2)
})

test('whether a key is there cannot be said while the issuer does not answer', async (t) => {
  const { set, clock, script } = situation()
  const keys = await set.current() ?? ''
  script.read = DOWN
  await clock.advance(30_000)
  t.strictSame(await set.beyond(keys), { kind: 'unavailable' })
  t.strictSame(await set.beyond(keys), { kind: 'unavailable' }, 'nor during the pause')
  t.equal(await set.current(), 'keys 1', 'the keys that are there are good')
  t.equal(script.reads, 2)
})

test('who asks while a read is under way gets what that one brings', async (t) => {
  const { set, script } = situation()
  let answer: (keys: string) => void = () => undefined
  script.read = () => new Promise((resolve) => { answer = resolve })
  const asked = [set.current(), set.current()]
  answer('late keys')
  t.strictSame(await Promise.all(asked), ['late keys', 'late keys'])
  t.equal(script.reads, 1)
})

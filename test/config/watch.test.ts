import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { digestOf, FileWatch } from '../../src/config/watch.ts'
import { systemClock } from '../../src/host/clock.ts'
import { FakeClock } from '../support/fake-clock.ts'

interface Watched {
  readonly count: () => number
  /** resolves at the nth change */
  readonly nth: (n: number) => Promise<void>
  readonly watch: FileWatch
}

async function watched(t: Test, file: string, clock = systemClock()): Promise<Watched> {
  let count = 0
  let waiting: { readonly n: number, readonly tell: () => void }[] = []
  const tellAll = (): void => {
    for (const { n, tell } of waiting) if (count >= n) tell()
    waiting = waiting.filter(({ n }) => count < n)
  }
  const watch = new FileWatch({ file, digest: await digestOf(file), clock, changed: () => { count += 1; tellAll() } })
  t.teardown(() => watch.stop())
  return { watch, count: () => count, nth: (n) => new Promise((tell) => { waiting.push({ n, tell }); tellAll() }) }
}

/** Lets time pass until it has happened: how many turns a look at the disk takes is the machine's business. */
async function passing(clock: FakeClock, happening: Promise<void>): Promise<void> {
  const happened = happening.then(() => true)
  while (!await Promise.race([happened, clock.advance(10_000).then(() => false)]));
}

test('a file that is written, or replaced by another one, has changed', async (t) => {
  const file = join(t.testdir({ 'a.yaml': 'one' }), 'a.yaml')
  const { watch, nth, count } = await watched(t, file)
  await watch.start()
  writeFileSync(file, 'two')
  await nth(1)
  writeFileSync(`${file}.new`, 'three')
  renameSync(`${file}.new`, file)
  await nth(2)
  unlinkSync(file)
  await nth(3)
  writeFileSync(file, 'three')
  await nth(4)
  t.equal(count(), 4)
})

test('a ConfigMap is swapped by its ..data link while the file itself stays the same link', async (t) => {
  const mount = t.testdir()
  const version = (name: string, text: string): void => {
    mkdirSync(join(mount, name))
    writeFileSync(join(mount, name, 'onceward.yaml'), text)
  }
  const swap = (name: string): void => {
    symlinkSync(name, join(mount, '..data_tmp'))
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'))
  }
  version('..one', 'one')
  swap('..one')
  symlinkSync('..data/onceward.yaml', join(mount, 'onceward.yaml'))
  const { watch, nth, count } = await watched(t, join(mount, 'onceward.yaml'))
  await watch.start()
  version('..two', 'two')
  swap('..two')
  rmSync(join(mount, '..one'), { recursive: true })
  await nth(1)
  version('..three', 'three')
  swap('..three')
  await nth(2)
  t.equal(count(), 2)
})

test('what is touched, or put back as it was, has not changed', async (t) => {
  const folder = t.testdir({ 'a.yaml': 'one' })
  const file = join(folder, 'a.yaml')
  const clock = new FakeClock()
  const { watch, count, nth } = await watched(t, file, clock)
  await watch.start()
  writeFileSync(file, 'one')
  writeFileSync(join(folder, 'other'), 'x')
  for (let i = 0; i < 20; i += 1) await clock.advance(10_000)
  writeFileSync(file, 'two')
  await passing(clock, nth(1))
  t.equal(count(), 1)
})

test('where the system says nothing the file is looked at now and then', async (t) => {
  const folder = t.testdir({ real: { 'a.yaml': 'one' }, mount: {} })
  symlinkSync(join(folder, 'real', 'a.yaml'), join(folder, 'mount', 'a.yaml'))
  const clock = new FakeClock()
  const { watch, nth, count } = await watched(t, join(folder, 'mount', 'a.yaml'), clock)
  await watch.start()
  writeFileSync(join(folder, 'real', 'a.yaml'), 'two') // nothing happens in the folder that is watched
  await passing(clock, nth(1))
  t.equal(count(), 1)
})

/** Counts what stirred in the folder: only then a short timer is set. */
class CountingClock extends FakeClock {
  stirred = 0

  override after(delayMs: number, task: () => void): () => void {
    if (delayMs < 1000) this.stirred += 1
    return super.after(delayMs, task)
  }
}

test('a folder that was replaced is watched anew', async (t) => {
  const folder = t.testdir({ mount: { 'a.yaml': 'one' } })
  const file = join(folder, 'mount', 'a.yaml')
  const clock = new CountingClock()
  const { watch } = await watched(t, file, clock)
  await watch.start()
  renameSync(join(folder, 'mount'), join(folder, 'old'))
  mkdirSync(join(folder, 'mount'))
  for (let i = 0; i < 20; i += 1) await Promise.all([clock.advance(10_000), stat(folder)])
  const before = clock.stirred
  writeFileSync(file, 'two')
  while (clock.stirred === before) await stat(folder)
  t.pass('its files are noticed as they come')
})

test('what changed between the reading and the watching is noticed', async (t) => {
  const file = join(t.testdir({ 'a.yaml': 'one' }), 'a.yaml')
  const { watch, nth } = await watched(t, file)
  writeFileSync(file, 'two')
  await Promise.all([nth(1), watch.start()])
  t.pass('it was')
})

test('a watch that was stopped says nothing more', async (t) => {
  const file = join(t.testdir({ 'a.yaml': 'one' }), 'a.yaml')
  const clock = new FakeClock()
  const { watch, count } = await watched(t, file, clock)
  await watch.start()
  await watch.start()
  writeFileSync(file, 'two')
  watch.stop()
  watch.stop()
  await clock.advance(60_000)
  t.equal(count(), 0)
})

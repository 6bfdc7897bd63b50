import { test } from 'tap'
import { LocalWakeups } from '../../src/store/local-wakeups.ts'

test('who waits for an id is woken by every word about it, until it leaves', async (t) => {
  const wakeups = new LocalWakeups()
  const woken: string[] = []
  const note = (who: string) => (): void => void woken.push(who)
  const leave = wakeups.wait('a', note('first'))
  wakeups.wait('a', note('second'))
  wakeups.wait('b', note('third'))
  wakeups.publish(['a', 'nobody waits for this'])
  t.strictSame(woken.splice(0), ['first', 'second'])
  leave()
  leave()
  wakeups.publish(['a', 'b'])
  t.strictSame(woken.splice(0), ['second', 'third'])
  await wakeups.close()
  await wakeups.close()
  wakeups.publish(['a', 'b'])
  t.strictSame(woken, [])
})

test('who is woken may leave, or wait anew', async (t) => {
  const wakeups = new LocalWakeups()
  let woken = 0
  const wake = (): void => {
    woken += 1
    leave()
    if (woken < 10) leave = wakeups.wait('a', wake)
  }
  let leave = wakeups.wait('a', wake)
  wakeups.publish(['a'])
  t.equal(woken, 1, 'a new wait hears the next word')
  wakeups.publish(['a'])
  t.equal(woken, 2)
})

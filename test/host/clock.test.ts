import { createHook } from 'node:async_hooks'
import { test } from 'tap'
import { systemClock } from '../../src/host/clock.ts'

test('tasks of one delay and of several come in the order in which they fall due, and what was cancelled does not', async (t) => {
  const clock = systemClock()
  const startedAt = clock.monotonicMs()
  const seen: string[] = []
  await new Promise<void>((resolve) => {
    clock.after(30, () => seen.push('30 first'))
    const cancelled = clock.after(30, () => seen.push('never'))
    clock.after(10, () => {
      seen.push('10')
      clock.after(30, () => {
        seen.push('30 of 10')
        resolve()
      })
    })
    clock.after(30, () => seen.push('30 second'))
    cancelled()
    cancelled()
  })
  t.strictSame(seen, ['10', '30 first', '30 second', '30 of 10'])
  t.ok(clock.monotonicMs() - startedAt >= 38, 'and not before')
})

test('a task that is set while its queue has only cancelled ones still comes', async (t) => {
  const clock = systemClock()
  const first = clock.after(20, () => t.fail('was cancelled'))
  first()
  await new Promise<void>((resolve) => { clock.after(20, resolve) })
  await new Promise<void>((resolve) => { clock.after(20, resolve) })
  t.pass('twice')
})

test('a task that sets itself again with no delay leaves others their turns', async (t) => {
  const clock = systemClock()
  let turns = 0
  let cancel = (): void => undefined
  const again = (): void => {
    turns += 1
    cancel = clock.after(0, again)
  }
  again()
  await new Promise<void>((resolve) => { clock.after(10, resolve) })
  cancel()
  t.ok(turns > 1)
})

test('a time span that comes once, such as what is left of a deadline, leaves no timer behind when it is cancelled', async (t) => {
  const clock = systemClock()
  const made = new Set<number>()
  const hook = createHook({
    init: (id, type) => { if (type === 'Timeout') made.add(id) },
    destroy: (id) => made.delete(id),
  }).enable()
  for (let n = 0; n < 100; n += 1) clock.after(5000.5 + n, () => t.fail('was cancelled'))()
  const most = made.size
  await new Promise((resolve) => { setImmediate(() => setImmediate(resolve)) })
  hook.disable()
  t.equal(most, 100)
  t.equal(made.size, 0)
})

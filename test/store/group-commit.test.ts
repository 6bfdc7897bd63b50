import { test } from 'tap'
import { StoreUnavailable } from '../../src/core/ports.ts'
import { GroupCommit, type Sent } from '../../src/store/group-commit.ts'
import { unavailability } from './folder.ts'

type Outcome = string

/** A connection that the test answers by hand, and a signal for each batch that leaves. */
class Wire {
  readonly batches: (readonly string[])[] = []
  readonly #answers: ((sent: readonly Sent<Outcome>[] | Error) => void)[] = []
  #expected: (() => void)[] = []

  readonly send = (batch: readonly string[]): Promise<readonly Sent<Outcome>[]> => {
    this.batches.push(batch)
    return new Promise((resolve, reject) => {
      this.#answers.push((sent) => {
        if (sent instanceof Error) reject(sent)
        else resolve(sent)
      })
      for (const arrived of this.#expected.splice(0)) arrived()
    })
  }

  async left(count: number): Promise<void> {
    while (this.batches.length < count) await new Promise<void>((resolve) => { this.#expected.push(resolve) })
  }

  answer(batch: number, sent: readonly Sent<Outcome>[] | Error = done(this.batches[batch] ?? [])): void {
    this.#answers[batch]?.(sent)
  }
}

function done(batch: readonly string[]): Sent<Outcome>[] {
  return batch.map((operation) => ({ kind: 'done', outcome: `${operation} done` }))
}

function queueOver(wire: Wire, limits: { connections?: number, maxOperations?: number, maxBytes?: number, keyOf?: (operation: string) => string, gatherFrom?: number } = {}): GroupCommit<string, Outcome> {
  return new GroupCommit({ send: wire.send, connections: 1, maxOperations: 100, maxBytes: 1000, ...limits })
}

test('calls of one turn leave together, and calls that arrive while a batch is out become the next', async (t) => {
  const wire = new Wire()
  const queue = queueOver(wire)
  const first = [queue.submit('a', 0), queue.submit('b', 0)]
  await wire.left(1)
  const second = [queue.submit('c', 0), queue.submit('d', 0), queue.submit('e', 0)]
  t.strictSame(wire.batches, [['a', 'b']], 'one connection, one batch out')
  wire.answer(0)
  t.strictSame(await Promise.all(first), ['a done', 'b done'])
  await wire.left(2)
  wire.answer(1)
  t.strictSame(await Promise.all(second), ['c done', 'd done', 'e done'])
  t.strictSame(wire.batches, [['a', 'b'], ['c', 'd', 'e']])
})

test('callers that one batch awoke join the next', async (t) => {
  const wire = new Wire()
  const queue = queueOver(wire)
  const callers = ['a', 'b', 'c'].map(async (name) => {
    await queue.submit(`claim ${name}`, 0)
    return queue.submit(`complete ${name}`, 0)
  })
  await wire.left(1)
  wire.answer(0)
  await wire.left(2)
  t.strictSame(wire.batches[1], ['complete a', 'complete b', 'complete c'])
  wire.answer(1)
  await Promise.all(callers)
})

test('behind a batch that many shared, calls of the next turn of the event loop join those that wait already', async (t) => {
  for (const [gatherFrom, expected] of [[2, [['a', 'b'], ['c', 'late']]], [3, [['a', 'b'], ['c'], ['late']]]] as const) {
    const wire = new Wire()
    const queue = queueOver(wire, { gatherFrom })
    const all = [queue.submit('a', 0), queue.submit('b', 0)]
    await wire.left(1)
    all.push(queue.submit('c', 0))
    wire.answer(0)
    await new Promise((resolve) => { setImmediate(resolve) })
    all.push(queue.submit('late', 0))
    for (let batch = 1; batch < expected.length; batch += 1) {
      await wire.left(batch + 1)
      wire.answer(batch)
    }
    await Promise.all(all)
    t.strictSame(wire.batches, expected)
  }
})

test('a queue that is closed while it gathers settles what it has', async (t) => {
  const wire = new Wire()
  const queue = queueOver(wire, { gatherFrom: 1 })
  const all = [queue.submit('a', 0)]
  await wire.left(1)
  all.push(queue.submit('b', 0))
  wire.answer(0)
  await all[0]
  const closed = queue.close()
  await wire.left(2)
  wire.answer(1)
  await closed
  t.strictSame(await Promise.all(all), ['a done', 'b done'])
})

test('an operation that was given up when its batch is made is dropped, and its neighbours are not', async (t) => {
  const wire = new Wire()
  const queue = queueOver(wire)
  const first = queue.submit('first', 0)
  await wire.left(1)
  let patient = true
  const [given, kept] = [queue.submit('given up', 0, () => !patient), queue.submit('kept', 0, () => false)]
  patient = false
  wire.answer(0)
  await first
  t.equal((await unavailability(given)).written, 'no')
  await wire.left(2)
  wire.answer(1)
  t.equal(await kept, 'kept done')
  t.strictSame(wire.batches, [['first'], ['kept']])
})

test('one that fails does not fail its neighbours', async (t) => {
  const wire = new Wire()
  const queue = queueOver(wire)
  const [good, bad, forgotten] = [queue.submit('good', 0), queue.submit('bad', 0), queue.submit('forgotten', 0)]
  await wire.left(1)
  const error = new StoreUnavailable('no', 'a bad row')
  wire.answer(0, [{ kind: 'done', outcome: 'good done' }, { kind: 'failed', error }])
  t.equal(await good, 'good done')
  t.equal(await unavailability(bad), error)
  t.equal((await unavailability(forgotten)).written, 'unknown')
})

test('a batch that is lost is unknown to each of its callers, and the next one leaves', async (t) => {
  const wire = new Wire()
  const queue = queueOver(wire)
  const lost = [queue.submit('a', 0), queue.submit('b', 0)]
  await wire.left(1)
  wire.answer(0, new Error('the connection broke'))
  for (const promise of lost) t.equal((await unavailability(promise)).written, 'unknown')
  const next = queue.submit('c', 0)
  await wire.left(2)
  wire.answer(1, new StoreUnavailable('no', 'not connected'))
  t.equal((await unavailability(next)).written, 'no', 'unless the connection knows better')
})

test('a batch is bounded by operations and by bytes, and is never empty', async (t) => {
  const wire = new Wire()
  const queue = queueOver(wire, { maxOperations: 3, maxBytes: 10 })
  const all = [queue.submit('huge', 50), queue.submit('a', 4), queue.submit('b', 6), ...['c', 'd', 'e', 'f'].map((name) => queue.submit(name, 0))]
  for (const batch of [0, 1, 2, 3]) {
    await wire.left(batch + 1)
    wire.answer(batch)
  }
  await Promise.all(all)
  t.strictSame(wire.batches, [['huge'], ['a', 'b'], ['c', 'd', 'e'], ['f']])
})

test('each free connection takes a batch', async (t) => {
  const wire = new Wire()
  const queue = queueOver(wire, { connections: 2, maxOperations: 1 })
  const all = ['a', 'b', 'c'].map((name) => queue.submit(name, 0))
  await wire.left(2)
  t.strictSame(wire.batches, [['a'], ['b']])
  wire.answer(1)
  await wire.left(3)
  for (const batch of [0, 2]) wire.answer(batch)
  t.strictSame(await Promise.all(all), ['a done', 'b done', 'c done'])
})

test('closing settles what was accepted and refuses the rest', async (t) => {
  const wire = new Wire()
  const queue = queueOver(wire)
  const accepted = [queue.submit('a', 0)]
  await wire.left(1)
  accepted.push(queue.submit('b', 0))
  let closed = false
  const closing = Promise.all([queue.close(), queue.close()]).then(() => { closed = true })
  t.equal((await unavailability(queue.submit('late', 0))).written, 'no')
  wire.answer(0)
  await wire.left(2)
  t.notOk(closed)
  wire.answer(1)
  t.strictSame(await Promise.all(accepted), ['a done', 'b done'])
  await closing
  await queue.close()
})

test('closing an idle queue, or one whose last operation is given up, ends at once', async (t) => {
  const wire = new Wire()
  await queueOver(wire).close()
  const queue = queueOver(wire)
  const given = unavailability(queue.submit('a', 0, () => true))
  await queue.close()
  t.equal((await given).written, 'no')
  t.strictSame(wire.batches, [])
})

test('a second operation of one key waits for the next batch, and keeps its turn', async (t) => {
  const wire = new Wire()
  const queue = queueOver(wire, { keyOf: ([key = '']) => key, maxOperations: 3 })
  const calls = ['a1', 'a2', 'b1', 'a3', 'c1', 'd1', 'b2'].map((name) => queue.submit(name, 0))
  await wire.left(1)
  wire.answer(0)
  await wire.left(2)
  wire.answer(1)
  await wire.left(3)
  wire.answer(2)
  await Promise.all(calls)
  t.strictSame(wire.batches, [['a1', 'b1', 'c1'], ['a2', 'd1', 'b2'], ['a3']])
})

test('what is given up while it waits behind its own key is dropped', async (t) => {
  const wire = new Wire()
  const queue = queueOver(wire, { keyOf: ([key = '']) => key })
  let gone = false
  const first = queue.submit('a1', 0)
  const dropped = unavailability(queue.submit('a2', 0, () => gone))
  await wire.left(1)
  gone = true
  wire.answer(0)
  await first
  t.match(await dropped, { written: 'no' })
  t.strictSame(wire.batches, [['a1']])
})

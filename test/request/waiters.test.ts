import { test } from 'tap'
import type { AttemptOutcome } from '../../src/core/attempt.ts'
import type { KeyStore } from '../../src/core/ports.ts'
import type { Answer } from '../../src/request/call.ts'
import { LocalWakeups } from '../../src/store/local-wakeups.ts'
import { deferred } from '../support/deferred.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { flowOver } from '../support/flow.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { replaced } from '../support/shared-store.ts'

const WAITING = 'defaults: { retry: { attempts: 1 }, idempotency: { in_flight: { wait: 10s }, lease: 60s } }'
const WAITERS = 5000

/** Two processes over one store: the first has sent a request whose answer the test gives, the second has seen nothing yet. */
async function twoProcesses() {
  const clock = new FakeClock()
  const wakeups = new LocalWakeups()
  const counts = new Map<string, number>()
  const authority = new MemoryKeyStore(clock, wakeups)
  const counting = (name: keyof KeyStore): Partial<KeyStore> => ({ [name]: (...args: never[]) => {
    counts.set(name, (counts.get(name) ?? 0) + 1)
    return (authority[name] as (...given: never[]) => unknown)(...args)
  } })
  const counted = replaced(authority, { ...counting('claim'), ...counting('find'), ...counting('flag') })
  const outcome = deferred<AttemptOutcome>()
  const sent: string[] = []
  const attempt = (): { outcome: Promise<AttemptOutcome>, abort: () => void } => {
    sent.push('request')
    return { outcome: outcome.promise, abort: () => undefined }
  }
  const options = { yaml: WAITING, clock, wakeups, attempt }
  const [one, other] = [await flowOver(authority, options), await flowOver(counted, options)]
  const first = one.send('k1')
  await clock.advance(0)
  return { clock, wakeups, authority, counts, outcome, sent, one, other, first }
}

function answered(body: string): AttemptOutcome {
  return { kind: 'answered', reply: { kind: 'whole', reply: { status: 201, headers: [], body: Buffer.from(body), trailers: [] } } }
}

function told(answer: Answer): string {
  switch (answer.kind) {
    case 'accepted': return 'accepted'
    case 'replay': return `replay ${Buffer.from(answer.reply.body).toString()}`
    case 'problem': return answer.problem.code
    case 'fresh': case 'unprotected': case 'none': return answer.kind
    default: return answer satisfies never
  }
}

test('5,000 who wait for another process cost one claim, one flag and one look, hold no body, and are all told the one answer', async (t) => {
  const { clock, counts, outcome, sent, other, first } = await twoProcesses()
  let forgotten = 0
  const waiters = Array.from({ length: WAITERS }, () => other.send('k1', { forgotten: () => { forgotten += 1 } }))
  await clock.advance(100)
  t.equal(forgotten, WAITERS, 'while they wait they hold no body')
  t.equal(other.deps.watch.size, 1)
  t.strictSame(Object.fromEntries(counts), { claim: 1, flag: 1 })
  outcome.resolve(answered('done'))
  const answers = await Promise.all(waiters)
  t.strictSame([...new Set(answers.map(told))], ['replay done'])
  t.equal((await first).kind, 'fresh')
  t.strictSame(Object.fromEntries(counts), { claim: 1, flag: 1, find: 1 })
  t.equal(sent.length, 1)
  t.equal(other.deps.watch.size, 0)
  t.equal(other.deps.flights.size, 0)
})

test('5,000 who wait for as many keys of another process cost a claim, a flag and a look each', async (t) => {
  const { clock, counts, outcome, one, other } = await twoProcesses()
  const firsts = Array.from({ length: WAITERS }, (_, n) => one.send(`key-${n}`))
  await clock.advance(0)
  const waiters = Array.from({ length: WAITERS }, (_, n) => other.send(`key-${n}`))
  await clock.advance(100)
  outcome.resolve(answered('done'))
  t.strictSame([...new Set((await Promise.all(waiters)).map(told))], ['replay done'])
  await Promise.all(firsts)
  t.strictSame(Object.fromEntries(counts), { claim: WAITERS, flag: WAITERS, find: WAITERS })
})

test('after a release nobody runs for those who wait: each is sent back, and one of them runs when it asks again', async (t) => {
  const { clock, outcome, sent, other } = await twoProcesses()
  const waiters = Array.from({ length: 10 }, () => other.send('k1'))
  await clock.advance(100)
  outcome.resolve({ kind: 'not_sent', cause: 'connect-refused' })
  t.strictSame([...new Set((await Promise.all(waiters)).map(told))], ['in-flight'])
  t.equal(sent.length, 1, 'a waiter never claims')
  t.equal(told(await other.send('k1')), 'upstream-unreachable')
  t.equal(sent.length, 2)
})

test('another request under the key is told so at once, in the midst of those who wait for another process', async (t) => {
  const { clock, outcome, other } = await twoProcesses()
  const waiter = other.send('k1')
  await clock.advance(100)
  t.equal(told(await other.send('k1', { body: '{"amount":2}' })), 'key-reused')
  outcome.resolve(answered('done'))
  t.equal(told(await waiter), 'replay done')
})

test('who waits is told of a doubt', async (t) => {
  const { clock, outcome, other } = await twoProcesses()
  const waiter = other.send('k1')
  await clock.advance(100)
  outcome.resolve({ kind: 'lost', cause: 'connection-lost', reply: null })
  t.equal(told(await waiter), 'outcome-unknown')
})

test('who waits for a holder that died is sent back once its lease ended, to make a claim of its own', async (t) => {
  const { clock, authority, one, other } = await twoProcesses()
  const [record] = await authority.find({ state: 'in_flight' }, 1)
  one.deps.leases.stop()
  await clock.advance(55_000)
  const waiter = other.send('k1')
  await clock.advance(0)
  await clock.advance(9000)
  t.equal(record?.state === 'in_flight' && record.leaseUntil <= clock.wallMs(), true)
  t.equal(told(await waiter), 'in-flight')
})

test('at the end of its time a waiter is told that the first one still runs', async (t) => {
  const { clock, other, outcome } = await twoProcesses()
  const waiter = other.send('k1')
  await clock.advance(0)
  await clock.advance(10_000)
  t.equal(told(await waiter), 'in-flight')
  t.equal(other.deps.watch.size, 0)
  outcome.resolve(answered('done'))
})

test('a record that was made under another specification is not compared by who stands beside: it is sent back to be', async (t) => {
  const { clock, authority, outcome, other } = await twoProcesses()
  const first = other.send('k1')
  const beside = other.send('k1')
  await clock.advance(100)
  const find = authority.find
  authority.find = async (by, limit) => (await find(by, limit)).map((record) => ({ ...record, spec: '[9,"unheard of",[]]' }))
  outcome.resolve(answered('done'))
  t.equal(told(await first), 'replay done', 'the store itself compared the one that claimed')
  t.equal(told(await beside), 'in-flight')
})

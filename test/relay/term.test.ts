import { test } from 'tap'
import type { Leadership } from '../../src/core/outbox.ts'
import { StoreUnavailable } from '../../src/core/ports.ts'
import { Term } from '../../src/relay/term.ts'
import { FakeClock } from '../support/fake-clock.ts'

const LEAD = { sink: 'hook', holder: 'one', fence: 3 }

function term(answer: () => Promise<Leadership>) {
  const clock = new FakeClock()
  let asked = 0
  const store = {
    lead: () => {
      asked += 1
      return answer()
    },
  }
  return { clock, asked: () => asked, term: new Term(LEAD, clock.monotonicMs(), { store, clock, random: { uniform: () => 0.5 }, leaseMs: 9000 }) }
}

test('a term goes on as long as it is renewed, three times a lease', async (t) => {
  const { term: one, clock, asked } = term(() => Promise.resolve({ kind: 'leading', lead: LEAD }))
  await clock.advance(90_000)
  t.ok(one.trusted)
  t.ok(asked() >= 29 && asked() <= 31, `${asked()} renewals in ten leases`)
  one.end('stopped')
  await clock.advance(90_000)
  t.ok(asked() <= 31, 'and none after its end')
})

test('renewals that fail end it nine tenths after the last one that did not', async (t) => {
  const { term: one, clock } = term(() => Promise.reject(new StoreUnavailable('unknown', 'gone')))
  await clock.advance(8099)
  t.ok(one.trusted)
  t.notOk(one.signal.aborted)
  await clock.advance(1)
  t.notOk(one.trusted)
  t.ok(one.signal.aborted)
  t.equal(await one.over, 'expired')
})

test('a renewal that hangs and comes back too late does not revive it', async (t) => {
  const { term: one, clock } = term(() => new Promise((resolve) => { clock.after(20_000, () => resolve({ kind: 'leading', lead: LEAD })) }))
  await clock.advance(60_000)
  t.notOk(one.trusted)
})

test('it is over when somebody else leads, and when the fence has changed: others have led in between', async (t) => {
  for (const answer of [{ kind: 'following', againMs: 5000 }, { kind: 'leading', lead: { ...LEAD, fence: 5 } }] as const) {
    const { term: one, clock } = term(() => Promise.resolve(answer))
    await clock.advance(3001)
    t.equal(await one.over, 'superseded')
  }
})

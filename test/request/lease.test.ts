import { test } from 'tap'
import { StoreUnavailable, type KeyStore } from '../../src/core/ports.ts'
import type { WriteOutcome } from '../../src/core/record.ts'
import { LeaseKeeper } from '../../src/request/lease.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { NotedJournal } from '../support/quiet.ts'

const LEASE_MS = 60_000
const CLAIM = { id: 'a', holder: 'h', fence: 1 }

function keeper(renew: (claims: readonly unknown[]) => Promise<readonly WriteOutcome[]>) {
  const clock = new FakeClock()
  const journal = new NotedJournal()
  return { clock, journal, leases: new LeaseKeeper({ renew } as unknown as KeyStore, clock, journal) }
}

test('a lease is trusted from when its claim was issued, less a margin', async (t) => {
  const { clock, leases } = keeper(async (claims) => claims.map(() => 'written'))
  const lease = leases.keep(CLAIM, LEASE_MS, clock.monotonicMs() - 50_000)
  leases.stop()
  t.ok(lease.trusted())
  await clock.advance(5000)
  t.notOk(lease.trusted(), 'after 55 s of 60: the store may have counted from earlier than we think')
})

test('a held lease is renewed from a third on, all that are due in one statement', async (t) => {
  const statements: number[] = []
  const { clock, leases } = keeper(async (claims) => {
    statements.push(claims.length)
    return claims.map(() => 'written')
  })
  const kept = [1, 2, 3].map((n) => leases.keep({ ...CLAIM, id: `${n}` }, LEASE_MS, clock.monotonicMs()))
  await clock.advance(19_000)
  t.same(statements, [], 'not before a third')
  await clock.advance(2000)
  t.same(statements, [3])
  await clock.advance(120_000)
  t.ok(kept.every((lease) => lease.trusted()), 'two leases later they are still ours')
  for (const lease of kept) lease.drop()
  const before = statements.length
  await clock.advance(120_000)
  t.equal(statements.length, before, 'what was dropped is renewed no more')
})

test('a holder that was superseded learns it and starts nothing more', async (t) => {
  const { clock, leases } = keeper(async () => ['fenced'])
  const lease = leases.keep(CLAIM, LEASE_MS, clock.monotonicMs())
  await clock.advance(21_000)
  t.notOk(lease.trusted())
})

test('a store that cannot renew costs trust only with time, and is told once a tick', async (t) => {
  let down = true
  const { clock, leases, journal } = keeper(async () => {
    if (down) throw new StoreUnavailable('unknown', 'planted')
    return ['written']
  })
  const lease = leases.keep(CLAIM, LEASE_MS, clock.monotonicMs())
  await clock.advance(40_000)
  t.ok(journal.events.includes('lease.renewal-failed'))
  t.ok(lease.trusted(), 'two thirds in')
  await clock.advance(15_000)
  t.notOk(lease.trusted())
  down = false
  await clock.advance(1000)
  t.ok(lease.trusted(), 'a late renewal that was written means that nobody had taken over')
  leases.stop()
})

import { array, assert, asyncProperty, boolean, constant, constantFrom, integer, oneof, record, type Arbitrary } from 'fast-check'
import type { Test } from 'tap'
import { OPERATIONS_SINK } from '../../src/core/operations.ts'
import type { KeyStore } from '../../src/core/ports.ts'
import type { AcceptOutcome, Claim, ClaimOutcome, ClaimRequest, KeyRecord, OnOrphan } from '../../src/core/record.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { MemoryOutboxStore } from '../support/memory-outbox-store.ts'
import { ALL } from './outbox/situation.ts'
import { ACT, beginning, completion, event, giveUp, HeldClock, keptReply, LEASE_MS, OWNER, readable, readableEvents, request, RETENTION_MS, work, type KeyStoreHarness, type OpenStore } from './situation.ts'

/** One call on some key as some holder; `fence` is what that holder believes. */
type Step =
  | { readonly call: 'claim', readonly key: string, readonly holder: string, readonly take: boolean, readonly print: number }
  | { readonly call: 'accept', readonly key: string, readonly holder: string, readonly print: number, readonly quota: number }
  | { readonly call: 'begin', readonly key: string, readonly holder: string, readonly take: boolean, readonly right: boolean }
  | { readonly call: 'give-up' | 'redrive' | 'discard' }
  | { readonly call: 'renew' | 'complete' | 'release' | 'abandon', readonly key: string, readonly holder: string, readonly fence: number }
  | { readonly call: 'resolve-completed' | 'resolve-not-executed', readonly key: string, readonly fence: number, readonly audited: boolean }
  | { readonly call: 'evict' | 'forget' | 'flag', readonly key: string }
  | { readonly call: 'reap' | 'sweep' }
  | { readonly call: 'advance', readonly byMs: number }

const key = constantFrom('a', 'b')
const holder = constantFrom('1', '2', '3')
const fence = integer({ min: 1, max: 4 })
const steps: Arbitrary<Step[]> = array(oneof(
  { weight: 4, arbitrary: record({ call: constant('claim' as const), key, holder, take: boolean(), print: integer({ min: 1, max: 8 }) }) },
  { weight: 3, arbitrary: record({ call: constant('accept' as const), key, holder, print: integer({ min: 1, max: 8 }), quota: integer({ min: 0, max: 3 }) }) },
  { weight: 4, arbitrary: record({ call: constant('begin' as const), key, holder, take: boolean(), right: boolean() }) },
  { weight: 1, arbitrary: record({ call: constantFrom('give-up' as const, 'redrive' as const, 'discard' as const) }) },
  { weight: 6, arbitrary: record({ call: constantFrom('renew' as const, 'complete' as const, 'release' as const, 'abandon' as const), key, holder, fence }) },
  { weight: 1, arbitrary: record({ call: constantFrom('resolve-completed' as const, 'resolve-not-executed' as const), key, fence, audited: boolean() }) },
  { weight: 1, arbitrary: record({ call: constantFrom('evict' as const, 'forget' as const, 'flag' as const), key }) },
  { weight: 1, arbitrary: record({ call: constantFrom('reap' as const, 'sweep' as const) }) },
  { weight: 2, arbitrary: record({ call: constant('advance' as const), byMs: constantFrom(1, LEASE_MS, RETENTION_MS) }) },
), { minLength: 5, maxLength: 40 })

export function modelContract(suite: Test, harness: KeyStoreHarness): void {
  suite.test('any sequence of calls is answered as the machine of the core says', async (t) => {
    await assert(asyncProperty(steps, async (sequence) => {
      const { store, outbox, clock, committedEvents, close } = await harness.open()
      try {
        const modelClock = new HeldClock()
        const modelOutbox = new MemoryOutboxStore(modelClock)
        const model = new MemoryKeyStore(modelClock, undefined, modelOutbox)
        for (const [n, step] of sequence.entries()) {
          if (step.call === 'advance') for (const each of [clock, modelClock]) each.advance(step.byMs)
          else t.strictSame(await take({ store, outbox }, step, n), await take({ store: model, outbox: modelOutbox }, step, n), JSON.stringify(step))
        }
        t.strictSame(await store.census(), await model.census())
        t.strictSame(await store.audit(100), await model.audit(100))
        t.strictSame(await outbox.audit(100), await modelOutbox.audit(100))
        t.strictSame(idsOf(await store.find({ state: 'accepted' }, 10)), idsOf(await model.find({ state: 'accepted' }, 10)))
        t.strictSame(readableEvents(await committedEvents()), readableEvents(model.events))
        if (!t.passing()) throw new Error('the store and the machine differ')
      } finally {
        await close()
      }
    }), { numRuns: 25, seed: 20260301 })
  })
}

type Both = Pick<OpenStore, 'store' | 'outbox'>

/** The call's outcome, and what is stored under its key then. */
async function take(both: Both, step: Exclude<Step, { call: 'advance' }>, n: number): Promise<unknown> {
  const { id } = request('key' in step ? step.key : 'none', '1')
  return [await call(both, step, id, n), await stored(both.store, id)]
}

async function call({ store, outbox }: Both, step: Exclude<Step, { call: 'advance' }>, id: string, n: number): Promise<unknown> {
  switch (step.call) {
    case 'reap': return store.reap(10)
    case 'sweep': return store.sweep(10)
    case 'claim': return told(await store.claim(wishOf(step, n, step.take)))
    case 'accept': {
      const wish = wishOf(step, n, false)
      return told(await store.accept(wish, work(wish, OWNER, { quota: step.quota })))
    }
    case 'begin': {
      const [found] = await store.find({ id }, 1)
      const wanted = beginning(request(step.key, '1'), step.holder, onOrphan(step.take))
      return store.begin({ ...wanted, operationRef: step.right ? found?.operationRef ?? 'nobody\'s' : 'another' })
    }
    case 'give-up': {
      await giveUp(outbox)
      return outbox.census([OPERATIONS_SINK])
    }
    case 'redrive': return outbox.redrive(ALL, 1, ACT)
    case 'discard': return outbox.discard(ALL, 1, ACT)
    case 'renew': return store.renew([{ claim: claimOf(step), leaseMs: LEASE_MS }])
    case 'complete': return store.complete(claimOf(step), completion(`reply ${n}`, [event(`event-${n}`)]))
    case 'release': return store.release(claimOf(step))
    case 'abandon': return store.abandon(claimOf(step), 'deadline', 1)
    case 'resolve-not-executed': return store.resolve(id, step.fence, { as: 'not-executed', operationRef: null }, step.audited ? ACT : null)
    case 'resolve-completed': return store.resolve(id, step.fence, { as: 'completed', reply: keptReply(`resolved ${n}`), events: [event(`event-${n}`)] }, step.audited ? ACT : null)
    case 'evict': return store.evict(id, ACT)
    case 'forget': return store.forget(id, ACT)
    case 'flag': return store.flag(id)
    default: return step satisfies never
  }
}

function wishOf({ key: name, holder: who, print }: { readonly key: string, readonly holder: string, readonly print: number }, n: number, takes: boolean): ClaimRequest {
  return request(name, who, { operationRef: `operation-${n}`, fingerprint: print === 1 ? 'another print' : 'the usual print', onOrphan: onOrphan(takes) })
}

function onOrphan(takes: boolean): OnOrphan {
  return takes ? { kind: 'take', withinMs: 10 * LEASE_MS } : { kind: 'hold' }
}

function told(outcome: ClaimOutcome | AcceptOutcome): unknown {
  return outcome.kind === 'replay' ? { ...outcome, reply: readable(outcome.reply) } : outcome
}

function idsOf(records: readonly KeyRecord[]): string[] {
  return records.map(({ id }) => id).toSorted()
}

function claimOf({ key: name, holder: who, fence: believed }: { readonly key: string, readonly holder: string, readonly fence: number }): Claim {
  const { id, holder: bits } = request(name, who)
  return { id, holder: bits, fence: believed }
}

async function stored(store: KeyStore, id: string): Promise<unknown> {
  const [found] = await store.find({ id }, 1)
  return found?.state === 'completed' ? { ...found, reply: readable(found.reply) } : found
}

import fc from 'fast-check'
import { test } from 'tap'
import { fingerprint } from '../../src/core/fingerprint.ts'
import { specText, type FingerprintSpec } from '../../src/core/fingerprint-spec.ts'
import type { Policy } from '../../src/core/policy.ts'
import type { KeyStore } from '../../src/core/ports.ts'
import type { ClaimOutcome, KeyRecord } from '../../src/core/record.ts'
import { Roster } from '../../src/core/roster.ts'
import type { Entry } from '../../src/request/admit.ts'
import type { Ending } from '../../src/request/answer.ts'
import { claim, type Claimed } from '../../src/request/claim.ts'
import { fingerprintUnder } from '../../src/request/compare.ts'
import { Flight } from '../../src/request/flight.ts'
import { follow, join } from '../../src/request/wait.ts'
import { Watch } from '../../src/request/watch.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { NotedJournal } from '../support/quiet.ts'

const NAMESPACE = { secret: 'secret', service: 'charges' }
const PATIENT = { gone: () => false, overdue: () => false, hung: null }
const REJECT: Pick<Policy, 'leaseMs' | 'inFlight' | 'whenUnsure'> = { leaseMs: 60_000, inFlight: { kind: 'reject' }, whenUnsure: { kind: 'hold' } }
const RAW: FingerprintSpec = { version: 2, mode: 'raw', headers: [] }
const REPLY = { kind: 'kept', reply: { status: 201, headers: [], body: Buffer.from('done'), trailers: [] } } as const

interface Sent {
  readonly type: string
  readonly version: string
  readonly body: string
}

/** A request under the policy that its route has now. */
function entry(spec: FingerprintSpec, sent: Sent, policy: Partial<Policy> = REJECT): Entry {
  const call = { method: 'POST', target: '/v1/charges', fields: ['Content-Type', sent.type, 'X-Version', sent.version], trace: null, gone: () => false, forgetBody: () => undefined }
  const body = Buffer.from(sent.body)
  return { kind: 'guarded', route: 'r', policy, key: 'k', identity: 'i', retentionMs: 1000, call, body, id: 'i'.repeat(43), fingerprint: fingerprint(NAMESPACE.secret, spec, { ...call, body }), witness: null } as unknown as Entry
}

function dependencies(store?: KeyStore) {
  const clock = new FakeClock()
  let tokens = 0
  const random = { uniform: () => 0.5, token: () => `token-${tokens += 1}` }
  const used = store ?? new MemoryKeyStore(clock)
  return { store: used, watch: new Watch({ store: used, wakeups: null, clock, random }), namespace: NAMESPACE, clock, random, journal: new NotedJournal(), unsettled: new Roster<Promise<unknown>>(), life: { over: false } }
}

const headers = fc.subarray(['x-version', 'x-none'])
const specs: fc.Arbitrary<FingerprintSpec> = fc.oneof(
  fc.record({ version: fc.constantFrom(1 as const, 2 as const), mode: fc.constant('raw' as const), headers }),
  fc.record({ version: fc.constant(2 as const), mode: fc.constant('json' as const), headers, exclude: fc.subarray(['/a', '/b/0']) }),
)
const requests: fc.Arbitrary<Sent> = fc.record({
  type: fc.constantFrom('application/json', 'text/plain', 'multipart/form-data; boundary=x'),
  version: fc.constantFrom('1', '2'),
  body: fc.constantFrom('{"a":1,"b":[2,3]}', '{ "b": [2, 3], "a": 1.0 }', '{"a":2,"b":[2,3]}', '{"a":1,"a":1}', '', '--x\r\n\r\n1\r\n--x--', '--x\r\n\r\n2\r\n--x--'),
})

test('for any two policies an identical retry is never a mismatch, whatever became of the first', async (t) => {
  await fc.assert(fc.asyncProperty(specs, specs, requests, fc.constantFrom('in_flight', 'completed', 'uncertain'), async (then, now, sent, state) => {
    const deps = dependencies()
    const first = await claim(entry(then, sent), null, deps, PATIENT)
    if (first.kind !== 'claimed') return false
    if (state === 'completed') await deps.store.complete(first.claim, { reply: REPLY, attempts: 1, events: [] })
    if (state === 'uncertain') await deps.store.abandon(first.claim, 'deadline', 1)
    const retry = await claim(entry(now, sent), null, deps, PATIENT)
    return retry.kind === { in_flight: 'busy', completed: 'replay', uncertain: 'uncertain' }[state]
  }), { numRuns: 500 })
  t.pass('for 500 random pairs of policies')
})

test('an old record decides by its own policy what another request is', async (t) => {
  const seen = new Set<Claimed['kind']>()
  await fc.assert(fc.asyncProperty(specs, specs, requests, requests, async (then, now, sent, other) => {
    const deps = dependencies()
    await claim(entry(then, sent), null, deps, PATIENT)
    const outcome = await claim(entry(now, other), null, deps, PATIENT)
    seen.add(outcome.kind)
    const same = entry(then, sent).fingerprint.digest === entry(then, other).fingerprint.digest
    return outcome.kind === (same ? 'busy' : 'mismatch') && (outcome.kind !== 'mismatch' || outcome.differs.length > 0)
  }), { numRuns: 500 })
  t.strictSame([...seen].sort(), ['busy', 'mismatch'])
})

test('two requests of one process under two policies, as during a reload, are compared under one of them', async (t) => {
  await fc.assert(fc.asyncProperty(specs, specs, requests, requests, async (then, now, sent, other) => {
    const flight = new Flight(entry(then, sent).fingerprint, null)
    const code = (ending: Ending) => (ending.answer.kind === 'problem' ? ending.answer.problem.code : ending.answer.kind)
    const same = entry(then, sent).fingerprint.digest === entry(then, other).fingerprint.digest
    return code(await join(entry(now, sent), flight, dependencies())) === 'in-flight' && code(await join(entry(now, other), flight, dependencies())) === (same ? 'in-flight' : 'key-reused')
  }), { numRuns: 500 })
  t.pass('for 500 random pairs of policies')
})

test('a record that is replaced between two questions is asked about under its new specification', async (t) => {
  const sent: Sent = { type: 'application/json', version: '1', body: '{}' }
  const stored: readonly FingerprintSpec[] = [{ version: 1, mode: 'raw', headers: [] }, { version: 2, mode: 'json', headers: [], exclude: [] }]
  const asked: string[] = []
  const store = {
    claim: async ({ spec, fingerprint: digest }: { readonly spec: string, readonly fingerprint: string }): Promise<ClaimOutcome> => {
      asked.push(spec)
      const next = stored[asked.length - 1]
      if (next !== undefined) return { kind: 'mismatch', spec: specText(next), parts: 'a.b.c.d', operationRef: `op-${asked.length}` }
      return { kind: digest === entry(stored[1] ?? RAW, sent).fingerprint.digest ? 'busy' : 'mismatch', spec, parts: 'a.b.c.d', retryAfterMs: 1, operationRef: 'op-3' }
    },
  }
  t.match(await claim(entry(RAW, sent), null, dependencies(store as unknown as KeyStore), PATIENT), { kind: 'busy' })
  t.strictSame(asked, [RAW, ...stored].map(specText))
})

test('a specification of a newer version compares with nothing', async (t) => {
  const request = entry(RAW, { type: 'text/plain', version: '1', body: 'x' })
  t.equal(fingerprintUnder('[3,"cbor",[]]', request, NAMESPACE), undefined)
  t.equal(fingerprintUnder(specText(RAW), request, NAMESPACE), request.fingerprint, 'its own is not computed again')
  const store = { claim: async (): Promise<ClaimOutcome> => ({ kind: 'mismatch', spec: '[3,"cbor",[]]', parts: 'a.b.c.d', operationRef: 'op-1' }) }
  t.strictSame(await claim(request, null, dependencies(store as unknown as KeyStore), PATIENT), { kind: 'incomparable', operationRef: 'op-1' })
})

test('a follower is not told the reply of another operation that took the key meanwhile', async (t) => {
  const waiting = entry(RAW, { type: 'text/plain', version: '1', body: 'x' }, { ...REJECT, inFlight: { kind: 'wait', waitMs: 10_000 } })
  const busy: Ending = { answer: { kind: 'none' }, outcome: 'in_flight', operationRef: 'op-1', attempts: 0, cause: null }
  const toldOf = async (operationRef: string) => {
    const found = { state: 'completed', reply: REPLY, operationRef, retainUntil: 2_000_000, parts: 'a.b.c.d' } as unknown as KeyRecord
    const deps = dependencies({ find: async () => [found] } as unknown as KeyStore)
    const told = follow(waiting, busy, null, deps)
    await deps.clock.advance(0)
    await deps.clock.advance(1000)
    return await told
  }
  t.match(await toldOf('op-1'), { outcome: 'replay', answer: { kind: 'replay' } })
  t.equal(await toldOf('op-2'), busy, 'ask again, and be compared')
})

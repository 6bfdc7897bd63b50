import { differing } from '../core/fingerprint.ts'
import { StoreUnavailable, type Clock, type KeyStore, type Random } from '../core/ports.ts'
import type { Entry, Namespace } from './admit.ts'
import { duplicateOf, incomparable, inFlight, mismatch, superseded, type Ending } from './answer.ts'
import type { Answer } from './call.ts'
import { fingerprintUnder } from './compare.ts'
import type { Flight } from './flight.ts'

const NO_BODY = new Uint8Array()

/** The store is asked this often for a key that another process holds; the delay is uniform up to twice that. */
const POLL_MS = 200

export interface WaitDependencies {
  readonly store: KeyStore
  readonly namespace: Namespace
  readonly clock: Clock
  readonly random: Random
}

/** A duplicate of a request that this process is working on. It never claims. */
export async function join(entry: Entry, flight: Flight, deps: WaitDependencies): Promise<Ending> {
  const own = fingerprintUnder(flight.fingerprint.spec, entry, deps.namespace)
  if (own === undefined) return incomparable(flight.operationRef)
  if (own.digest !== flight.fingerprint.digest) return mismatch(differing(flight.fingerprint.parts, own.parts), flight.operationRef)
  const { inFlight: policy } = entry.policy
  // Another token waits for nothing: what comes will not be for it.
  if (policy.kind === 'reject' || flight.witness !== entry.witness) return duplicateOf(inFlight(flight.operationRef), flight.operationRef)
  dropBody(entry)
  const answer = await new Promise<Answer>((resolve) => {
    const cancel = deps.clock.after(policy.waitMs, () => resolve(inFlight(flight.operationRef)))
    void flight.ended.then(resolve).finally(cancel)
  })
  return duplicateOf(answer, flight.operationRef)
}

/** A duplicate of a request that some other process holds, or that one held before it died. It never claims either. */
export async function follow(entry: Entry, busy: Ending, deps: WaitDependencies): Promise<Ending> {
  const { inFlight: policy } = entry.policy
  if (policy.kind === 'reject') return busy
  dropBody(entry)
  const giveUpAt = deps.clock.monotonicMs() + policy.waitMs
  while (!entry.call.gone() && deps.clock.monotonicMs() < giveUpAt) {
    await new Promise<void>((resolve) => { deps.clock.after(deps.random.uniform() * 2 * POLL_MS, resolve) })
    const found = await look(entry, deps.store)
    // Free, or another operation has the key: our body is gone, so only a new request can be compared with it.
    if (found === 'gone' || (found !== 'unavailable' && found.operationRef !== busy.operationRef)) return busy
    // Its holder died. Only a claim may say what follows from that, so the client is sent to make one.
    if (found !== 'unavailable' && found.state === 'in_flight' && found.leaseUntil <= deps.clock.wallMs()) return busy
    if (found !== 'unavailable' && found.state !== 'in_flight') return superseded(found, entry, found.operationRef, deps.clock.wallMs())
  }
  return busy
}

async function look(entry: Entry, store: KeyStore) {
  try {
    const [found] = await store.find({ id: entry.id }, 1)
    return found ?? 'gone'
  } catch (error) {
    if (error instanceof StoreUnavailable) return 'unavailable'
    throw error
  }
}

function dropBody(entry: Entry): void {
  entry.body = NO_BODY
  entry.call.forgetBody()
}

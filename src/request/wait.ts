import { differing } from '../core/fingerprint.ts'
import type { Clock } from '../core/ports.ts'
import type { Entry, Namespace } from './admit.ts'
import { duplicateOf, incomparable, inFlight, mismatch, superseded, type Ending } from './answer.ts'
import type { Answer } from './call.ts'
import { fingerprintUnder } from './compare.ts'
import type { Flight } from './flight.ts'
import type { Sight, Watch } from './watch.ts'

const NO_BODY = new Uint8Array()

export interface WaitDependencies {
  readonly namespace: Namespace
  readonly clock: Clock
  readonly watch: Watch
}

/** A duplicate of a request that this process is working on. It never claims. */
export async function join(entry: Entry, flight: Flight, deps: WaitDependencies): Promise<Ending> {
  const refusal = refusalOf(entry, flight, deps)
  if (refusal !== null) return refusal
  const { inFlight: policy } = entry.policy
  if (policy.kind === 'reject') return duplicateOf(inFlight(flight.operationRef), flight.operationRef)
  dropBody(entry)
  const answer = await new Promise<Answer>((resolve) => {
    const cancel = deps.clock.after(policy.waitMs, () => resolve(inFlight(flight.operationRef)))
    void flight.ended.then(resolve).finally(cancel)
  })
  return duplicateOf(answer, flight.operationRef)
}

/**
 * A duplicate of a request of this process that has claimed, and now waits for some other process: what the store said
 * to that one it would say to this one. So of any number of duplicates one claims.
 */
export async function accompany(entry: Entry, flight: Flight, deps: WaitDependencies): Promise<Ending> {
  return refusalOf(entry, flight, deps) ?? await follow(entry, duplicateOf(inFlight(flight.operationRef), flight.operationRef), flight.fingerprint.spec, deps)
}

/**
 * A duplicate of a request that some other process holds, or that one held before it died. It never claims either, and
 * holds nothing but its client's connection. `comparedUnder` is the specification under which it was compared with
 * another request of this process, or null if the store itself has compared it with the record.
 */
export function follow(entry: Entry, busy: Ending, comparedUnder: string | null, deps: WaitDependencies): Promise<Ending> {
  const { inFlight: policy } = entry.policy
  const { operationRef } = busy
  if (policy.kind === 'reject' || operationRef === null) return Promise.resolve(busy)
  dropBody(entry)
  return new Promise((resolve, reject) => {
    const cancel = deps.clock.after(policy.waitMs, () => {
      leave()
      resolve(busy)
    })
    const leave = deps.watch.on(entry.id, operationRef, {
      see: (sight) => {
        const ending = endingOf(sight, entry, busy, comparedUnder, deps.clock.wallMs())
        if (ending === null) return
        cancel()
        leave()
        resolve(ending)
      },
      fail: (error) => {
        cancel()
        leave()
        reject(error instanceof Error ? error : new Error('a look at a record failed', { cause: error }))
      },
    })
  })
}

/** Null as long as there is something to wait for. */
function endingOf(sight: Sight, entry: Entry, busy: Ending, comparedUnder: string | null, wallMs: number): Ending | null {
  if (entry.call.gone()) return busy
  if (sight === 'unavailable') return null
  // Free, or another operation has the key: our body is gone, so only a new request can be compared with it.
  if (sight === 'gone' || sight.operationRef !== busy.operationRef) return busy
  // Its holder died. Only a claim may say what follows from that, so the client is sent to make one.
  if (sight.state === 'in_flight') return sight.leaseUntil <= wallMs ? busy : null
  if (comparedUnder !== null && comparedUnder !== sight.spec) return busy
  return superseded(sight, entry, sight.operationRef, wallMs)
}

/** What is said to a request at once that is not the one that flies, or that is not let wait for its reply. */
function refusalOf(entry: Entry, flight: Flight, deps: WaitDependencies): Ending | null {
  const own = fingerprintUnder(flight.fingerprint.spec, entry, deps.namespace)
  if (own === undefined) return incomparable(flight.operationRef)
  if (own.digest !== flight.fingerprint.digest) return mismatch(differing(flight.fingerprint.parts, own.parts), flight.operationRef)
  // Another token waits for nothing: what comes will not be for it.
  return flight.witness === entry.witness ? null : duplicateOf(inFlight(flight.operationRef), flight.operationRef)
}

/** Who waits holds its connection and no body. */
export function dropBody(entry: Entry): void {
  entry.body = NO_BODY
  entry.call.forgetBody()
}

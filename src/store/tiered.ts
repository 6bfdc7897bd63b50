import { StoreUnavailable, type Clock, type KeyStore, type Meter, type Remembered, type RemoteReplies, type ReplyCache } from '../core/ports.ts'
import type { AcceptOutcome, Claim, ClaimOutcome, ClaimRequest, KeyId } from '../core/record.ts'
import type { StoredReply } from '../core/reply.ts'
import { Roster } from '../core/roster.ts'
import { RecentlyBuried } from './recently-buried.ts'
import { RecentlyReplayed } from './recently-replayed.ts'
import type { ReplyMemory } from './reply-memory.ts'

/*
 * Three tiers, of which one decides.
 *
 *     memory   completed replies of this process, asked by the flow before it claims (ReplyCache)
 *     Redis    completed replies of all processes, asked before the authority if it is configured and answers
 *     the authority
 *
 * The upper two only save look-ups: a reply from there counts if it answers the very same request (specification and
 * fingerprint) and its retention is not about to end; everything else is the authority's to say. So flushing, losing
 * or switching Redis costs time and nothing else.
 *
 * A completion fills Redis once the authority has confirmed it, but not the memory: most keys are never asked about
 * again, and keeping each reply for a minute costs the garbage collector more than the one look-up of those that are.
 * A reply that was not kept is not cached: the authority says so as quickly, and evicting turns replies into such.
 */

export interface Tiers {
  readonly authority: KeyStore
  readonly memory: ReplyMemory
  readonly remote: RemoteReplies | null
  readonly clock: Clock
  readonly meter: Pick<Meter, 'cacheHit' | 'cacheMiss'>
}

export interface Tiered {
  readonly store: KeyStore
  /** the memory, as the flow sees it */
  readonly replies: ReplyCache
}

/**
 * Retention ends by the authority's clock, and ours may differ: near the end it is asked. Clocks that are further apart than
 * a minute are an error that shows elsewhere, too.
 */
const NEAR_THE_END_MS = 60_000

/** What a completion does not say and its claim did. */
type Claimed = Omit<Remembered, 'reply' | 'fence'>

export function tiered({ authority, memory, remote, clock, meter }: Tiers): Tiered {
  /** by the very object that the claim gave out: who completes has it in hand, and when nobody has, it is gone */
  const claims = new WeakMap<Claim, Claimed>()
  const buried = new RecentlyBuried(clock)
  const looking = new Roster<Promise<unknown>>()
  const replayed = new RecentlyReplayed()
  remote?.onBuried(forgetHere)

  const store: KeyStore = {
    claim(request, givenUp) {
      if (remote?.answers !== true) return claimOf(request, givenUp)
      const asked = remote.get(request.id)
      const place = looking.enter(asked)
      return asked.then((found) => {
        looking.leave(place)
        return judged(request, found) ?? claimOf(request, givenUp)
      })
    },
    complete(claim, completion) {
      if (remote === null) return authority.complete(claim, completion)
      return authority.complete(claim, completion).then((written) => {
        if (written === 'written') fill(claim, completion.reply)
        return written
      })
    },
    async resolve(id, fence, resolution, act) {
      const written = await authority.resolve(id, fence, resolution, act).finally(() => forgetHere(id))
      // a record in doubt has no reply, so there is none to bury; the word alone reaches the other processes
      if (act !== null) await remote?.bury(id)
      return written
    },
    async evict(id, act) {
      await bury(id)
      return await authority.evict(id, act).finally(() => forgetHere(id))
    },
    async forget(id, act) {
      await bury(id)
      return await authority.forget(id, act).finally(() => forgetHere(id))
    },
    accept: async (request, work) => learnt(request.id, await authority.accept(request, work)),
    begin: (request) => authority.begin(request),
    audit: (limit) => authority.audit(limit),
    flag: (id) => authority.flag(id),
    release: (claim) => authority.release(claim),
    abandon: (claim, cause, attempts) => authority.abandon(claim, cause, attempts),
    secret: (candidate) => authority.secret(candidate),
    keySpace: (seen, next) => authority.keySpace(seen, next),
    renew: (toRenew) => authority.renew(toRenew),
    find: (by, limit) => authority.find(by, limit),
    doubts: (limit, rest) => authority.doubts(limit, rest),
    reap: (limit) => authority.reap(limit),
    sweep: (limit) => authority.sweep(limit),
    census: () => authority.census(),
    async close() {
      while (looking.size > 0) await Promise.race(looking) // their claims are accepted, too
      await authority.close()
      await remote?.close()
    },
  }

  return {
    store,
    replies: {
      recall(id) {
        const known = memory.recall(id)
        if (known !== undefined) meter.cacheHit('memory')
        return known
      },
    },
  }

  /** Asks the authority, and learns from what it says. */
  function claimOf(request: ClaimRequest, givenUp: (() => boolean) | undefined): Promise<ClaimOutcome> {
    return authority.claim(request, givenUp).then((outcome) => {
      if (outcome.kind === 'claimed' && remote !== null) {
        const { fingerprint, spec, parts } = request
        claims.set(outcome.claim, { fingerprint, spec, parts, operationRef: outcome.operationRef, retainUntil: outcome.retainUntil })
      }
      return learnt(request.id, outcome)
    })
  }

  function learnt<Outcome extends ClaimOutcome | AcceptOutcome>(id: KeyId, outcome: Outcome): Outcome {
    if (outcome.kind === 'replay') {
      meter.cacheHit('authority')
      learn(id, outcome)
    }
    return outcome
  }

  /** What Redis says, if it may be said without asking further. */
  function judged(request: ClaimRequest, found: Remembered | undefined): ClaimOutcome | undefined {
    if (found === undefined) return undefined
    const { fingerprint, spec } = request
    if (found.fingerprint !== fingerprint || found.spec !== spec) {
      meter.cacheMiss('differs')
      return undefined
    }
    if (found.retainUntil - NEAR_THE_END_MS <= clock.wallMs()) {
      meter.cacheMiss('ended')
      return undefined
    }
    if (buried.has(request.id)) {
      meter.cacheMiss('buried')
      return undefined
    }
    meter.cacheHit('redis')
    if (replayed.again(request.id)) memory.remember(request.id, found)
    return { kind: 'replay', ...found }
  }

  function learn(id: KeyId, { fingerprint, spec, parts, operationRef, retainUntil, fence, reply }: Remembered): void {
    if (buried.has(id)) return
    const what = { fingerprint, spec, parts, operationRef, retainUntil, fence, reply }
    memory.remember(id, what)
    remote?.put(id, what)
  }

  function fill(claim: Claim, reply: StoredReply): void {
    const claimed = claims.get(claim)
    if (claimed !== undefined && !buried.has(claim.id)) remote?.put(claim.id, { ...claimed, fence: claim.fence, reply })
  }

  /** Before the authority changes: a Redis that cannot be told would go on giving out what the operator was told is gone. */
  async function bury(id: KeyId): Promise<void> {
    if (remote === null) return
    if (await remote.bury(id) === 'unknown') throw new StoreUnavailable('no', 'Redis cannot be told to forget this reply, so nothing was changed')
  }

  function forgetHere(id: KeyId): void {
    buried.add(id)
    memory.forget(id)
  }
}

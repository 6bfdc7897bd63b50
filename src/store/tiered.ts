import type { KeyStore, Remembered } from '../core/ports.ts'
import type { ClaimRequest, KeyId } from '../core/record.ts'
import type { ReplyMemory } from './reply-memory.ts'

/**
 * The authority, and a memory that learns every completed reply which the authority has confirmed. The flow asks the
 * memory for exact repetitions before it claims; it only ever saves a look-up.
 */
export function tiered(authority: KeyStore, memory: ReplyMemory): KeyStore {
  /** what is known of the claims of this process, to be remembered with their replies */
  const underWay = new Map<KeyId, { readonly holder: string, readonly known: Omit<Remembered, 'reply'> }>()

  return {
    async claim(request, givenUp) {
      const outcome = await authority.claim(request, givenUp)
      if (outcome.kind === 'replay') memory.remember(request.id, outcome)
      if (outcome.kind === 'claimed') underWay.set(request.id, { holder: request.holder, known: { ...digests(request), operationRef: outcome.operationRef, retainUntil: outcome.retainUntil } })
      return outcome
    },
    async complete(claim, completion) {
      const written = await authority.complete(claim, completion)
      const mine = take(claim.id, claim.holder)
      if (written === 'written' && mine !== undefined) memory.remember(claim.id, { ...mine, reply: completion.reply })
      return written
    },
    async release(claim) {
      take(claim.id, claim.holder)
      return await authority.release(claim)
    },
    async abandon(claim, cause, attempts) {
      take(claim.id, claim.holder)
      return await authority.abandon(claim, cause, attempts)
    },
    async resolve(id, fence, resolution) {
      const written = await authority.resolve(id, fence, resolution)
      memory.forget(id)
      return written
    },
    secret: (candidate) => authority.secret(candidate),
    renew: (claims) => authority.renew(claims),
    find: (by, limit) => authority.find(by, limit),
    reap: (limit) => authority.reap(limit),
    sweep: (limit) => authority.sweep(limit),
    census: () => authority.census(),
    close: () => authority.close(),
  }

  function take(id: KeyId, holder: string): Omit<Remembered, 'reply'> | undefined {
    const entry = underWay.get(id)
    if (entry?.holder !== holder) return undefined
    underWay.delete(id)
    return entry.known
  }
}

function digests(request: ClaimRequest): Pick<Remembered, 'fingerprint' | 'spec'> {
  return { fingerprint: request.fingerprint, spec: request.spec }
}

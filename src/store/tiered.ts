import type { KeyStore } from '../core/ports.ts'
import type { ReplyMemory } from './reply-memory.ts'

/**
 * The authority, and a memory that learns each reply which the authority has replayed. The flow asks the memory for
 * exact repetitions before it claims; it only ever saves a look-up. A completion is not remembered by itself: most
 * keys are never asked about again, and keeping each reply for a minute costs the garbage collector more than the
 * one look-up of those that are.
 */
export function tiered(authority: KeyStore, memory: ReplyMemory): KeyStore {
  return {
    claim: (request, givenUp) => authority.claim(request, givenUp).then((outcome) => {
      if (outcome.kind === 'replay') memory.remember(request.id, outcome)
      return outcome
    }),
    async resolve(id, fence, resolution, act) {
      return await authority.resolve(id, fence, resolution, act).finally(() => memory.forget(id))
    },
    async evict(id, act) {
      return await authority.evict(id, act).finally(() => memory.forget(id))
    },
    async forget(id, act) {
      return await authority.forget(id, act).finally(() => memory.forget(id))
    },
    audit: (limit) => authority.audit(limit),
    flag: (id) => authority.flag(id),
    complete: (claim, completion) => authority.complete(claim, completion),
    release: (claim) => authority.release(claim),
    abandon: (claim, cause, attempts) => authority.abandon(claim, cause, attempts),
    secret: (candidate) => authority.secret(candidate),
    keySpace: (seen, next) => authority.keySpace(seen, next),
    renew: (claims) => authority.renew(claims),
    find: (by, limit) => authority.find(by, limit),
    reap: (limit) => authority.reap(limit),
    sweep: (limit) => authority.sweep(limit),
    census: () => authority.census(),
    close: () => authority.close(),
  }
}

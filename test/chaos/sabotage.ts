import { StoreUnavailable, type KeyStore } from '../../src/core/ports.ts'
import type { Claim } from '../../src/core/record.ts'
import type { Bug, Write } from './protocol.ts'

/* Wrappers around the KeyStore port: faults that a store may have, and bugs that a store or the flow may not have. */

/** The store with some of its calls replaced. */
export function replacing(store: KeyStore, calls: Partial<KeyStore>): KeyStore {
  return {
    secret: (candidate) => store.secret(candidate),
    keySpace: (seen, next) => store.keySpace(seen, next),
    claim: (request, givenUp) => store.claim(request, givenUp),
    accept: (request, work) => store.accept(request, work),
    begin: (request) => store.begin(request),
    renew: (claims) => store.renew(claims),
    complete: (claim, completion) => store.complete(claim, completion),
    release: (claim) => store.release(claim),
    abandon: (claim, cause, attempts) => store.abandon(claim, cause, attempts),
    resolve: (id, fence, resolution, act) => store.resolve(id, fence, resolution, act),
    evict: (id, act) => store.evict(id, act),
    forget: (id, act) => store.forget(id, act),
    audit: (limit) => store.audit(limit),
    flag: (id) => store.flag(id),
    find: (by, limit) => store.find(by, limit),
    doubts: (limit, rest) => store.doubts(limit, rest),
    reap: (limit) => store.reap(limit),
    sweep: (limit) => store.sweep(limit),
    census: () => store.census(),
    close: () => store.close(),
    ...calls,
  }
}

/** Tells of every write just after it was handed to the store and before anybody knows what became of it. */
export function watched(store: KeyStore, issued: (write: Write) => void): KeyStore {
  const telling = <T>(write: Write, result: Promise<T>): Promise<T> => {
    issued(write)
    return result
  }
  return replacing(store, {
    claim: (request, givenUp) => telling('claim', store.claim(request, givenUp)),
    complete: (claim, completion) => telling('complete', store.complete(claim, completion)),
    release: (claim) => telling('release', store.release(claim)),
    abandon: (claim, cause, attempts) => telling('abandon', store.abandon(claim, cause, attempts)),
  })
}

/** Every third fault is a refusal, every third an answer that never came to a write that never happened, every third one to a write that did. */
export function faulty(store: KeyStore, share: number, random: () => number): KeyStore {
  if (share === 0) return store
  const risk = async <T>(call: () => Promise<T>): Promise<T> => {
    const draw = random() / share
    if (draw >= 1) return call()
    if (draw < 1 / 3) throw new StoreUnavailable('no', 'chaos: refused')
    if (draw < 2 / 3) throw new StoreUnavailable('unknown', 'chaos: the call got lost')
    await call()
    throw new StoreUnavailable('unknown', 'chaos: the answer got lost')
  }
  return replacing(store, {
    claim: (request, givenUp) => risk(() => store.claim(request, givenUp)),
    renew: (claims) => risk(() => store.renew(claims)),
    complete: (claim, completion) => risk(() => store.complete(claim, completion)),
    release: (claim) => risk(() => store.release(claim)),
    abandon: (claim, cause, attempts) => risk(() => store.abandon(claim, cause, attempts)),
    find: (by, limit) => risk(() => store.find(by, limit)),
  })
}

/** A holder that is cut off or asleep: its leases end while it still works. */
export function withoutRenewals(store: KeyStore): KeyStore {
  return replacing(store, { renew: () => Promise.reject(new StoreUnavailable('no', 'chaos: renewals are suppressed')) })
}

/** How long the bugs that speak or send too early leave their write undone. */
const LATE_WRITE_MS = 200
/** Long after a kill that is sent when the upstream has the request, on a busy machine as well. */
const LATE_CLAIM_MS = 3000

export function withBug(store: KeyStore, bug: Bug | null): KeyStore {
  switch (bug) {
    case null: return store
    case 'no-fence': {
      const current = async (claim: Claim): Promise<Claim> => {
        const [row] = await store.find({ id: claim.id }, 1)
        return row === undefined ? claim : { id: row.id, holder: row.holder, fence: row.fence }
      }
      return replacing(store, {
        complete: async (claim, completion) => await store.complete(await current(claim), completion),
        release: async (claim) => await store.release(await current(claim)),
        abandon: async (claim, cause, attempts) => await store.abandon(await current(claim), cause, attempts),
      })
    }
    case 'answer-before-settle':
      return replacing(store, {
        complete: (claim, completion) => {
          setTimeout(() => void store.complete(claim, completion).catch(() => undefined), LATE_WRITE_MS)
          return Promise.resolve('written')
        },
      })
    case 'release-on-reset':
      return replacing(store, { abandon: (claim) => store.release(claim) })
    case 'send-before-claim':
      return replacing(store, {
        claim: async (request, givenUp) => {
          const [row] = await store.find({ id: request.id }, 1)
          if (row !== undefined) return await store.claim(request, givenUp)
          setTimeout(() => void store.claim(request).catch(() => undefined), LATE_CLAIM_MS)
          const { id, holder, operationRef, retentionMs } = request
          return { kind: 'claimed', claim: { id, holder, fence: 1 }, recovering: false, operationRef, retainUntil: Date.now() + retentionMs }
        },
      })
    case 'unknown-is-no': case 'unknown-is-yes': case 'deaf-to-notices': case 'redis-decides': return store // stores/sabotage.ts
    default: return bug satisfies never
  }
}

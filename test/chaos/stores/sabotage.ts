import { EventEmitter } from 'node:events'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { StoreUnavailable, type KeyStore } from '../../../src/core/ports.ts'
import type { Claim, ClaimOutcome, ClaimRequest } from '../../../src/core/record.ts'
import type { RedisTarget } from '../../../src/core/redis-target.ts'
import type { Bug } from '../protocol.ts'
import { replacing } from '../sabotage.ts'

/* Bugs that others have shipped around a shared store and its cache; the campaign has to see each of them. */

/** Between two tries of a bug that insists. */
const INSIST_MS = 50
/** How long the authority hears nothing of what Redis has granted. */
const LATE_CLAIM_MS = 200

export function withStoreBug(store: KeyStore, bug: Bug | null, redis: RedisTarget | null): KeyStore {
  switch (bug) {
    // a write that was not confirmed is taken for one that did not happen, and its key is freed
    case 'unknown-is-no':
      return replacing(store, {
        complete: async (claim, completion) => {
          try {
            return await store.complete(claim, completion)
          } catch (error) {
            if (isUnknown(error)) await insist(() => store.release(claim))
            throw error
          }
        },
      })
    // a claim that was not confirmed is taken for one that was granted
    case 'unknown-is-yes':
      return replacing(store, {
        claim: async (request, givenUp) => {
          try {
            return await store.claim(request, givenUp)
          } catch (error) {
            if (isUnknown(error)) return granted(request)
            throw error
          }
        },
      })
    case 'redis-decides': return redis === null ? store : decidedBy(redis, store)
    case null: case 'deaf-to-notices': case 'no-fence': case 'answer-before-settle': case 'release-on-reset': case 'send-before-claim': return store // others plant those
    default: return bug satisfies never
  }
}

/** For `deaf-to-notices`: a commit of which the server says that it did not wait for its standby counts as any other. */
export function deafen(): void {
  Client.prototype.emit = function (this: Client, event: string, ...args: unknown[]): boolean {
    return event === 'notice' || EventEmitter.prototype.emit.call(this, event, ...args)
  }
}

/** Who sets the key in Redis first has the claim; the authority is told a little later. */
function decidedBy(target: RedisTarget, store: KeyStore): KeyStore {
  if (target.kind !== 'single') throw new Error('this bug knows one server')
  const redis = new Redis({ host: target.server.host, port: target.server.port, maxRetriesPerRequest: 0, commandTimeout: 200 })
  redis.on('error', () => undefined)
  const late = new Map<string, Promise<unknown>>()
  return replacing(store, {
    claim: async (request, givenUp) => {
      const first = await redis.set(`bug:${request.id}`, request.holder, 'NX').catch(() => null)
      if (first !== 'OK') return await store.claim(request, givenUp)
      late.set(request.id, new Promise((resolve) => { setTimeout(() => resolve(insist(() => store.claim(request))), LATE_CLAIM_MS) }))
      return granted(request)
    },
    complete: async (claim, completion) => {
      await late.get(claim.id)
      late.delete(claim.id)
      return await store.complete(claim, completion)
    },
  })
}

function granted({ id, holder, operationRef, retentionMs }: ClaimRequest): ClaimOutcome {
  const claim: Claim = { id, holder, fence: 1 }
  return { kind: 'claimed', claim, recovering: false, operationRef, retainUntil: Date.now() + retentionMs }
}

function isUnknown(error: unknown): boolean {
  return error instanceof StoreUnavailable && error.written === 'unknown'
}

async function insist<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      await new Promise((resolve) => { setTimeout(resolve, INSIST_MS) })
    }
  }
}

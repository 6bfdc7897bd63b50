import { readFileSync } from 'node:fs'
import type { Pool, QueryResult } from 'pg'
import { StoreUnavailable, type KeyStore } from '../../../src/core/ports.ts'

/*
 * The yardstick for batches: one INSERT and one UPDATE per request on a pool, as anybody would write it first. For keys that are
 * new, with the statements prepared and without the list of what is unsettled; everything else is the product's store's.
 */

const SCHEMA = 'onceward'

export function oneEach(authority: KeyStore, pool: Pool): KeyStore {
  const [insert, update] = [textOf('insert'), textOf('update')]
  return {
    async claim(request, givenUp) {
      const { id, holder, operationRef } = request
      const { rows: [row] } = await asked(pool.query<{ retain_until: string }>({
        name: 'insert', text: insert,
        values: [bytesOf(id), request.keyDigest, operationRef, request.fingerprint, request.spec, request.parts, holder, request.route, request.leaseMs, request.retentionMs],
      }))
      if (row === undefined) return authority.claim(request, givenUp)
      return { kind: 'claimed', claim: { id, holder, fence: 1 }, recovering: false, operationRef, retainUntil: Number(row.retain_until) }
    },
    async complete(claim, completion) {
      const { reply: stored, attempts } = completion
      if (stored.kind === 'not-kept') return authority.complete(claim, completion)
      const { status, headers, trailers, body } = stored.reply
      const { rowCount } = await asked(pool.query({
        name: 'update', text: update,
        values: [bytesOf(claim.id), claim.holder, claim.fence, attempts, status, JSON.stringify(headers), JSON.stringify(trailers), Buffer.from(body)],
      }))
      return rowCount === 1 ? 'written' : authority.complete(claim, completion)
    },
    accept: (request, work) => authority.accept(request, work),
    begin: (request) => authority.begin(request),
    renew: (claims) => authority.renew(claims),
    release: (claim) => authority.release(claim),
    abandon: (claim, cause, attempts) => authority.abandon(claim, cause, attempts),
    resolve: (id, fence, resolution, act) => authority.resolve(id, fence, resolution, act),
    evict: (id, act) => authority.evict(id, act),
    forget: (id, act) => authority.forget(id, act),
    audit: (limit) => authority.audit(limit),
    flag: (id) => authority.flag(id),
    find: (by, limit) => authority.find(by, limit),
    doubts: (limit, rest) => authority.doubts(limit, rest),
    reap: (limit) => authority.reap(limit),
    sweep: (limit) => authority.sweep(limit),
    census: () => authority.census(),
    secret: (candidate) => authority.secret(candidate),
    keySpace: (seen, next) => authority.keySpace(seen, next),
    async close() {
      await authority.close()
      await pool.end()
    },
  }
}

function textOf(name: string): string {
  return readFileSync(new URL(`./${name}.sql`, import.meta.url), 'utf8').replaceAll('{schema}', SCHEMA)
}

function bytesOf(id: string): Buffer {
  return Buffer.from(id, 'base64url')
}

async function asked<Row extends object>(query: Promise<QueryResult<Row>>): Promise<QueryResult<Row>> {
  try {
    return await query
  } catch (error) {
    throw new StoreUnavailable('unknown', 'the statement failed', error)
  }
}

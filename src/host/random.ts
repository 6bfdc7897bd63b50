import { randomFillSync } from 'node:crypto'
import type { Random } from '../core/ports.ts'

/** Tokens are cut from a pool that one system call fills: 16 bytes are asked for with every claim. */
const POOL_BYTES = 8192

export function systemRandom(): Random {
  const pool = Buffer.alloc(POOL_BYTES)
  let used = POOL_BYTES
  return {
    uniform: Math.random,
    token(bytes) {
      if (used + bytes > POOL_BYTES) {
        randomFillSync(pool)
        used = 0
      }
      const token = pool.toString('base64url', used, used + bytes)
      pool.fill(0, used, used + bytes)
      used += bytes
      return token
    },
  }
}

import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import type { Clock, Journal, Meter, Random, Wakeups } from '../../core/ports.ts'
import type { RedisTarget } from '../../core/redis-target.ts'
import { connect } from './connection.ts'
import { RedisReplies } from './reply-cache.ts'
import { SharedBudget, type FleetBudgets } from './shared-budget.ts'
import { redisWakeups } from './wakeups.ts'
import { Words } from './words.ts'

export interface RedisOptions {
  readonly target: RedisTarget
  /** PEM; null: what node trusts */
  readonly ca: string | null
  readonly service: string
  readonly timeoutMs: number
  readonly keepMs: number
  readonly clock: Clock
  readonly random: Random
  readonly meter: Pick<Meter, 'cacheMiss' | 'cacheFill'>
  readonly journal: Pick<Journal, 'warn' | 'info'>
}

export interface OpenRedis extends FleetBudgets {
  readonly wakeups: Wakeups
  /** the replies of the installation that has this secret (base64url), which only the authority knows */
  replies(secret: string): RedisReplies
  /** Lets go of both connections, after the replies. May be called twice. */
  close(): Promise<void>
}

/** Does not wait for Redis, which may come later, or go. */
export async function openRedis({ target, ca, service, ...options }: RedisOptions): Promise<OpenRedis> {
  const client = await connect({ target, ca, random: options.random }, 'commands')
  const words = new Words(client, await connect({ target, ca, random: options.random }, 'subscriptions'), service)
  const opened: RedisReplies[] = []
  return {
    wakeups: redisWakeups(words),
    replies(secret) {
      const replies = new RedisReplies({ ...options, client, words, key: macKey(secret) })
      opened.push(replies)
      return replies
    },
    budget(name, settings) {
      const { timeoutMs, clock, random, journal } = options
      return new SharedBudget({ client, service, name, settings, timeoutMs, clock, random, journal })
    },
    async close() {
      for (const replies of opened) await replies.close()
      words.close()
      client.disconnect()
    },
  }
}

/** The secret itself makes ids; what authenticates values is a key of its own. */
function macKey(secret: string): KeyObject {
  return createSecretKey(new Uint8Array(hkdfSync('sha256', Buffer.from(secret, 'base64url'), '', 'onceward: replies in Redis', 32)))
}

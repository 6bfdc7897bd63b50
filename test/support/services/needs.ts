import type { Test } from 'tap'
import { kafkaIsAtHand } from './kafka.ts'
import { findPgBouncer } from './pgbouncer.ts'
import { postgresIsAtHand } from './postgres.ts'
import { redisIsAtHand } from './redis.ts'
import { sqsIsAtHand } from './sqs.ts'
import { findOrInstall, findProgram, say } from './programs.ts'

export type Service = 'postgres' | 'redis' | 'pgbouncer' | 'promtool' | 'sqs' | 'kafka'

/** Debian has it in the package of Prometheus. */
export function findPromtool(): string | null {
  return findOrInstall(() => findProgram('promtool'), 'prometheus')
}

/**
 * Stands at the head of a test file that meets real servers. Where one cannot be had, the file fails if
 * ONCEWARD_REQUIRE=all says that everything is to be tested; else it ends here, and says loudly what was not tested.
 */
export function needs(t: Test, ...services: readonly Service[]): void {
  const missing = services.filter((service) => !isAtHand(service))
  if (missing.length === 0) return
  const what = `NOT TESTED: no ${missing.join(' and no ')} on this machine, none to be had by apt, npm, Maven or docker`
  if (process.env['ONCEWARD_REQUIRE'] === 'all') throw new Error(what)
  say(what)
  t.plan(0, what)
  process.exit(0)
}

function isAtHand(service: Service): boolean {
  switch (service) {
    case 'postgres': return postgresIsAtHand()
    case 'redis': return redisIsAtHand()
    case 'sqs': return sqsIsAtHand()
    case 'kafka': return kafkaIsAtHand()
    case 'promtool': return findPromtool() !== null
    case 'pgbouncer': return findPgBouncer() !== null
    default: return service satisfies never
  }
}

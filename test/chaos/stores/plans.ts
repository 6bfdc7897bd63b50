import type { Trial } from '../campaign.ts'
import { between, chance, oneOf } from '../chance.ts'
import type { Weights } from '../protocol.ts'
import type { Fault } from './faults.ts'
import { runStoreTrial, type StorePlan } from './trial.ts'

/* Which trials there are: what issue 4 says must show, each in two sizes, and whatever a seed makes of it. */

const AT_ONCE: Weights = { answer: 1 }
const WORKING: Weights = { answer: 4, slow: 2 }
const MIXED: Weights = { 'answer': 10, 'slow': 4, 'streamed': 0.3, 'reset-before-work': 0.3, 'reset-after-work': 0.5, 'error-500': 0.5, 'gateway-502-after-work': 0.3, 'refuse-503': 0.6, 'refuse-401': 0.3 }

const USUAL = {
  seed: 1, weights: WORKING, redis: false, standby: null, faults: [], calmMs: 700, lanes: 24, keys: 200, senders: [1, 3], routes: ['hold', 'wait'], echoes: 1, leavers: 0, trouble: 'expected',
} as const satisfies Partial<StorePlan>

export type Size = 'ci' | 'full'

export const SHOWS = ['two-sidecars', 'redis', 'postgres-restart', 'postgres-kill', 'postgres-pause', 'cancelled', 'failover', 'failover-applied', 'failover-behind', 'collapse', 'sidecar-kill', 'sidecar-loss'] as const
export type Show = typeof SHOWS[number]

export function showPlan(show: Show, size: Size): StorePlan {
  const full = size === 'full'
  const plan = { ...USUAL, name: show, group: show }
  switch (show) {
    case 'two-sidecars': return { ...plan, weights: AT_ONCE, keys: full ? 10_000 : 1000, senders: [8, 8], trouble: 'none' }
    case 'redis': return { // a switch to an empty cache may cost time, and nothing else
      ...plan, name: 'Redis in trouble (Stripe 2017)', weights: AT_ONCE, redis: true, trouble: 'none', senders: [1, 2], echoes: 6, lanes: full ? 24 : 16, calmMs: full ? 3000 : 1000,
      faults: [{ kind: 'redis-flush' }, { kind: 'redis-pause', forMs: full ? 5000 : 1500 }, { kind: 'redis-kill', forMs: full ? 5000 : 1000 }, { kind: 'redis-switch' }],
    }
    case 'postgres-restart': return { ...plan, faults: times(full ? 5 : 1, { kind: 'postgres-restart', forMs: 500 }) }
    case 'postgres-kill': return { ...plan, faults: times(full ? 5 : 2, { kind: 'postgres-kill', forMs: 500 }) }
    case 'postgres-pause': return { ...plan, faults: times(full ? 2 : 1, { kind: 'postgres-pause', forMs: 10_000 }) }
    case 'cancelled': return { ...plan, standby: 'on', faults: times(full ? 4 : 1, { kind: 'standby-pause', forMs: full ? 3000 : 1500 }) }
    case 'failover': return { ...plan, standby: 'on', faults: [{ kind: 'failover' }], calmMs: full ? 3000 : 1000 }
    case 'failover-applied': return { ...plan, standby: 'remote_apply', redis: true, faults: [{ kind: 'failover' }], calmMs: full ? 3000 : 1000 }
    case 'failover-behind': return { ...plan, standby: 'on', faults: [{ kind: 'failover-behind', forMs: full ? 2500 : 1500 }], routes: ['hold', 'wait'] }
    case 'collapse': return { ...plan, standby: 'on', faults: [{ kind: 'collapse', place: 0, forMs: full ? 2500 : 1500 }] }
    case 'sidecar-kill': return { ...plan, faults: Array.from({ length: full ? 20 : 4 }, (_, i): Fault => ({ kind: 'sidecar-kill', place: i % 2, forMs: 100 + (i * 137) % 500 })), calmMs: 300 }
    case 'sidecar-loss': return { ...plan, faults: [{ kind: 'sidecar-loss', place: 0 }], leavers: 0.1 }
    default: return show satisfies never
  }
}

export function showTrials(size: Size): Trial[] {
  return SHOWS.map((show) => trialOf(showPlan(show, size), `--show ${show}`))
}

/** A trial that follows from its seed alone, as far as processes that race allow. */
export function randomStoreTrial(seed: number): Trial {
  const random = chance(seed, 'plan')
  const redis = random() < 0.6
  const standby = random() < 0.6 ? (random() < 0.5 ? 'on' as const : 'remote_apply' as const) : null
  const plan: StorePlan = {
    ...USUAL, name: `random run, seed ${seed}`, group: 'random', seed, weights: MIXED, redis, standby,
    faults: faultsOf(random, redis, standby !== null), calmMs: between(random, 200, 900), lanes: between(random, 8, 32), keys: 50,
    senders: [1, between(random, 2, 6)], routes: ['hold', 'hold', 'wait', 'wait', 'resend'], echoes: between(random, 0, 3), leavers: 0.1,
  }
  return trialOf(plan, `--seed ${seed}`)
}

/** Two to four of them; a failover takes the standby away, so it comes last. */
function faultsOf(random: () => number, redis: boolean, standby: boolean): Fault[] {
  const kinds: [Fault['kind'], ...Fault['kind'][]] = ['postgres-restart', 'postgres-kill', 'postgres-kill', 'postgres-pause', 'postgres-terminate', 'sidecar-kill', 'sidecar-kill', 'sidecar-pause']
  if (redis) kinds.push('redis-flush', 'redis-kill', 'redis-pause', 'redis-switch')
  if (standby) kinds.push('standby-pause', 'standby-pause')
  const faults = Array.from({ length: between(random, 1, 3) }, () => faultOf(oneOf(random, kinds), random))
  if (standby) faults.push(faultOf(oneOf(random, ['failover', 'failover-behind', 'collapse']), random))
  return faults
}

function faultOf(kind: Fault['kind'], random: () => number): Fault {
  const [forMs, place] = [between(random, 50, 4000), between(random, 0, 1)]
  switch (kind) {
    case 'redis-flush': case 'redis-switch': case 'postgres-terminate': case 'failover': return { kind }
    case 'redis-kill': case 'redis-pause': case 'postgres-restart': case 'postgres-kill': case 'postgres-pause': case 'standby-pause': case 'failover-behind': return { kind, forMs }
    case 'sidecar-kill': case 'collapse': return { kind, place, forMs }
    case 'sidecar-loss': return { kind, place }
    case 'sidecar-pause': return { kind, place, forMs: forMs + 2500 }
    default: return kind satisfies never
  }
}

export function trialOf(plan: StorePlan, again: string): Trial {
  return { name: plan.name, group: plan.group, again, run: (ground) => runStoreTrial(plan, ground) }
}

function times(count: number, fault: Fault): Fault[] {
  return Array.from({ length: count }, () => fault)
}

import type { Config } from './config/config.ts'
import type { Loaded } from './config/load.ts'
import { needsRestart } from './config/restart.ts'
import type { Rules } from './request/explanation.ts'
import type { Relays } from './relays.ts'
import type { Sources } from './sources.ts'
import type { OperationsSettings } from './core/operations.ts'
import { acceptsAny, shadowedNames } from './core/route.ts'
import { StoreUnavailable, type Journal, type Meter } from './core/ports.ts'
import type { Adoption, Policies } from './request/policies.ts'
import type { RetryPools } from './request/retry-pools.ts'

/** What to write if it is meant. */
export const ACCEPT_HINT = 'if retries of old requests may run again, write accept: [frees-old-keys]'

export interface Reloading {
  /** what the process was started with: everything but its routes, budgets, sinks and operations stays in force */
  readonly running: Config
  readonly policies: Policies
  readonly pools: RetryPools
  readonly relays: Pick<Relays, 'adopt'>
  readonly sources: Pick<Sources, 'adopt'>
  /** in force for what is accepted from now on */
  readonly operations: { current: OperationsSettings }
  /** what operators are shown */
  readonly rules: { current: Rules }
  readonly meter: Meter
  readonly shadowed: { routes(names: readonly string[]): void }
  readonly journal: Journal
}

/**
 * Puts the routes of a newly loaded configuration in force, all of them or none: with any mistake in it, or with keys
 * that it would free, the old ones stay. What else has changed is named and waits for a restart. Never rejects: a
 * defect in here must not end a process that works.
 */
export async function reload(load: () => Promise<Loaded>, reloading: Reloading): Promise<void> {
  const { meter, journal } = reloading
  try {
    const mistakes = await replace(await load(), reloading)
    for (const mistake of mistakes) journal.error('config.refused', mistake)
    meter.reloaded(mistakes.length === 0 ? 'reloaded' : 'refused')
  } catch (error) {
    journal.error('config.refused', { mistake: error instanceof Error ? error.stack ?? error.message : 'unknown' })
    meter.reloaded('refused')
  }
}

type Refusal = Readonly<Record<string, string | number>>

/** Why nothing was replaced; nothing if it was. */
async function replace(loaded: Loaded, { running, policies, pools, relays, sources, operations, rules, meter, shadowed, journal }: Reloading): Promise<readonly Refusal[]> {
  if (loaded.kind === 'faulty') return loaded.mistakes.map(({ file, line, column, field, message }) => ({ file, line, column, field, mistake: message }))
  const { config } = loaded
  const adoption = await adopt(config, running, policies)
  switch (adoption.kind) {
    case 'refused': return adoption.freed.map((way) => ({ mistake: `old keys would be free again: ${way}; ${ACCEPT_HINT}` }))
    case 'unavailable': return [{ mistake: `the key store does not answer, so nobody can tell which keys would be free again: ${adoption.detail}; send SIGHUP to try again` }]
    case 'adopted': break
    default: return adoption satisfies never
  }
  pools.adopt(config.budgets)
  operations.current = config.operations
  rules.current = config
  await relays.adopt({ sinks: config.sinks, operations: config.operations, accepts: acceptsAny(config.routes) })
  await sources.adopt(config.sources)
  meter.routes(config.routes.map(({ name }) => name))
  shadowed.routes(shadowedNames(config.routes))
  for (const warning of [...config.warnings, ...adoption.freed.map((way) => `old keys are free again: ${way}`)]) journal.warn('config.warning', { warning })
  for (const field of needsRestart(running.written, config.written)) journal.warn('config.warning', { warning: `${field} has changed, which needs a restart; the old value stays in force` })
  journal.info('config.reloaded', { routes: config.routes.length })
  return []
}

/** Keys go on being filed under the service that the process was started with, but its next start would not find them. */
async function adopt(config: Config, running: Config, policies: Policies): Promise<Adoption | { readonly kind: 'unavailable', readonly detail: string }> {
  const mayFreeOldKeys = config.accept.has('frees-old-keys')
  if (config.service !== running.service && !mayFreeOldKeys) return { kind: 'refused', freed: [`the service is ${running.service} and would be ${config.service}`] }
  try {
    return await policies.adopt({ routes: config.routes, keySpace: { ...config.keySpace, service: running.service }, mayFreeOldKeys })
  } catch (error) {
    if (error instanceof StoreUnavailable) return { kind: 'unavailable', detail: error.message }
    throw error
  }
}

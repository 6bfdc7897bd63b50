import type { Config } from '../config/config.ts'
import { loadFrom } from '../config/load.ts'
import { formatMistake } from '../config/mistakes.ts'
import type { Overrides } from '../config/overrides.ts'
import type { Environment } from '../config/substitute.ts'
import { durationText } from '../config/units.ts'
import type { Policy, WhenUnsure } from '../core/policy.ts'
import type { RetryPolicy } from '../core/retry.ts'
import { acceptsAny, type Route } from '../core/route.ts'
import { EXIT, type Output } from './output.ts'
import { sourceGrants } from './source-grants.ts'

/** The configured routes end where these two begin. */
const FALLBACKS = 2

/**
 * Says what the sidecar would run on with this file, these flags and this environment, or everything that is wrong.
 * Nothing is opened or listened on. Returns the exit code.
 */
export async function check(file: string, flags: Overrides, environment: Environment, output: Output): Promise<number> {
  const loaded = await loadFrom({ ...flags, config: file }, environment)
  if (loaded.kind === 'faulty') {
    for (const mistake of loaded.mistakes) output.complaint(formatMistake(mistake))
    return EXIT.config
  }
  for (const line of summary(file, loaded.config)) output.line(line)
  for (const line of loaded.config.sources.flatMap(sourceGrants)) output.line(line)
  for (const warning of loaded.config.warnings) output.complaint(`warning: ${warning}`)
  return EXIT.ok
}

function summary(file: string, config: Config): string[] {
  const configured = config.routes.length - FALLBACKS
  const width = Math.max(...config.routes.map(({ name }) => name.length))
  return [
    `${file} is right: ${configured} ${configured === 1 ? 'route' : 'routes'}`,
    `  ${address(config.listen)} -> ${config.upstream.origin}, admin on ${address(config.admin.listen)}, keys of ${config.service} in ${config.store.postgres === null ? config.store.dataDir : 'Postgres'}`,
    budgets(config),
    ...operations(config),
    ...config.routes.map((route, i) => `  ${i < configured ? `${i + 1}.` : 'else'} ${route.name.padEnd(width)}  ${requests(route)}: ${treatment(route)}`),
  ]
}

function requests(route: Route): string {
  const methods = route.methods === null ? 'every method' : [...route.methods].join(' ')
  // names only: a value may be a secret that a gateway sends along
  const headers = route.headers.length === 0 ? '' : ` with ${route.headers.map(({ name }) => name).join(' and ')}`
  return `${methods} ${route.host ?? ''}/${route.path.join('/')}${headers}`
}

function treatment({ action }: Route): string {
  switch (action.kind) {
    case 'pass': return action.retry === null || action.retry.methods.size === 0 ? 'passes as it is' : `passes as it is, ${[...action.retry.methods].join(' ')} ${attempts(action.retry)}`
    case 'guard': return guarded(action.policy)
    case 'shadow': return `passes as it is, in shadow of: ${guarded(action.policy)}`
    default: return action satisfies never
  }
}

function guarded(policy: Policy): string {
  const busy = policy.inFlight.kind === 'reject' ? 'reject' : `wait ${durationText(policy.inFlight.waitMs)}`
  return `key ${policy.key}, kept ${durationText(policy.retention.defaultMs)}, ${attempts(policy.retry)}, deadline ${durationText(policy.deadlineMs)}, in flight: ${busy}, when unsure: ${unsure(policy.whenUnsure)}, scope ${scope(policy)}${signed(policy)}${accepted(policy)}${events(policy)}`
}

function signed({ signature }: Policy): string {
  return signature === null ? '' : `, signed as ${signature.scheme} has it (${signature.secrets.length === 1 ? 'one secret' : `${signature.secrets.length} secrets`}, ${durationText(signature.toleranceMs)})`
}

function accepted({ accepts }: Policy): string {
  switch (accepts) {
    case 'off': return ''
    case 'allowed': return ', accepted (202) where Prefer: respond-async asks for it'
    case 'always': return ', always accepted (202) and executed afterwards'
    default: return accepts satisfies never
  }
}

function events({ outbox }: Policy): string {
  return outbox.length === 0 ? '' : `, events: ${outbox.map(({ type, sink }) => `${type} to ${sink}`).join(', ')}`
}

function unsure(policy: WhenUnsure): string {
  switch (policy.kind) {
    case 'hold': return 'hold'
    case 'resend': return `resend within ${durationText(policy.withinMs)}`
    case 'probe': return `probe, absent after ${durationText(policy.probe.quietMs)}`
    default: return policy satisfies never
  }
}

function attempts({ attempts: most, budget }: RetryPolicy): string {
  return `${most === 1 ? 'sent once' : `at most ${most} attempts`}${budget === 'default' ? '' : ` from the budget ${budget}`}`
}

function budgets({ budgets: all, breaker }: Config): string {
  const each = [...all].map(([name, { ratio, minPerSecond, shared }]) => `${name} ${ratio} per request and ${minPerSecond}/s${shared ? ', shared' : ''}`)
  return `  retries: ${each.join('; ')}; ${breaker === null ? 'no breaker' : `breaker at ${breaker.ratio} of ${breaker.minAttempts} or more`}`
}

/** Only where something is accepted. */
function operations({ routes, operations: { concurrency, attempts: most, quota, requestBodyBytes } }: Config): string[] {
  if (!acceptsAny(routes)) return []
  return [`  accepted requests: ${concurrency} at a time, at most ${most} executions without an effect, ${quota} waiting of one identity, bodies up to ${requestBodyBytes} bytes`]
}

function scope({ scope: of }: Policy): string {
  switch (of.kind) {
    case 'none': case 'route': return of.kind
    case 'credential': return `${of.headers.join(' + ')}${of.anonymous === 'share' ? ' (anonymous requests share one)' : ''}`
    case 'header': return `${of.header} as a gateway sets it`
    case 'jwt': return `${of.claim.join('/')} of a token verified by ${of.keys.place}`
    default: return of satisfies never
  }
}

function address({ host, port }: Config['listen']): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

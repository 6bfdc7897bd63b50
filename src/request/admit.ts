import { fingerprint, type Fingerprint } from '../core/fingerprint.ts'
import { firstOf } from '../core/headers.ts'
import { keyId, readKey, TTL_HEADER } from '../core/key.ts'
import type { Policy } from '../core/policy.ts'
import type { KeyOutcome } from '../core/ports.ts'
import { problem, type Problem } from '../core/problem.ts'
import type { KeyId } from '../core/record.ts'
import { matchRoute, readPath, type Route } from '../core/route.ts'
import { identify } from '../core/scope.ts'
import type { Call } from './call.ts'

/** Whose rules, which key: everything that can be said before the body is read. */
export type Admission =
  | { readonly kind: 'bypass', readonly route: Route }
  | { readonly kind: 'refused', readonly route: string, readonly outcome: KeyOutcome, readonly problem: Problem }
  | { readonly kind: 'guarded', readonly route: string, readonly policy: Policy, readonly key: string, readonly identity: string, readonly retentionMs: number }

type Guarded = Extract<Admission, { kind: 'guarded' }>

/** A guarded request with its body and everything that names it. */
export interface Entry extends Guarded {
  readonly call: Call
  /** emptied once this request only waits for another one's answer */
  body: Uint8Array
  readonly id: KeyId
  readonly fingerprint: Fingerprint
}

/** Who keeps the keys: the installation's secret and the service's name, both part of every id. */
export interface Namespace {
  readonly secret: string
  readonly service: string
}

/** The route label of requests that no route can be found for. */
export const NO_ROUTE = 'none'

/** Under this first segment Onceward speaks for itself; such a path never reaches the upstream. */
const RESERVED = '_onceward'

export function admit(call: Pick<Call, 'method' | 'target' | 'fields'>, routes: readonly Route[]): Admission {
  const path = readPath(call.target)
  if (path.kind === 'invalid') return refused(NO_ROUTE, 'invalid', problem('request-invalid', path.detail))
  if (path.segments[0] === RESERVED) return refused(NO_ROUTE, 'invalid', problem('not-found', 'paths below /_onceward/ are reserved, and this one means nothing'))
  const route = matchRoute(routes, call.method, path.segments, call.fields)
  if (route === undefined) return refused(NO_ROUTE, 'invalid', problem('request-invalid', 'no route matches this request'))
  if (route.action.kind === 'pass') return { kind: 'bypass', route }
  const policy = route.action.policy
  const reading = readKey(call.fields)
  if (reading.kind === 'absent') {
    if (policy.key === 'optional') return { kind: 'bypass', route }
    return refused(route.name, 'missing', problem('key-missing', 'this route needs an Idempotency-Key: make a fresh random one per operation and send the same one with every retry'))
  }
  if (reading.kind === 'invalid') return refused(route.name, 'invalid', problem('key-invalid', reading.detail))
  const identity = identify(call.fields, policy.scope)
  if (identity.kind === 'missing') return refused(route.name, 'invalid', problem('identity-missing', identity.detail))
  if (identity.kind === 'invalid') return refused(route.name, 'invalid', problem('request-invalid', identity.detail))
  return { kind: 'guarded', route: route.name, policy, key: reading.key, identity: identity.identity, retentionMs: retentionOf(call, policy) }
}

/** Reads the body; the claim needs all of it, for the fingerprint and for the attempts. */
export async function capture(call: Call, admitted: Guarded, namespace: Namespace, maxBytes: number): Promise<Entry | Extract<Admission, { kind: 'refused' }> | { kind: 'dropped' }> {
  const reading = await call.body(maxBytes)
  switch (reading.kind) {
    case 'too-large': return refused(admitted.route, 'invalid', problem('body-too-large', `a request with an Idempotency-Key may have a body of at most ${maxBytes} bytes here`))
    case 'no-room': return refused(admitted.route, 'unavailable', problem('overloaded', 'the bodies being held have reached their limit; nothing was sent upstream', { retryAfterMs: 1000 }))
    case 'too-slow': return refused(admitted.route, 'invalid', problem('request-timeout', 'the body of a request with an Idempotency-Key did not arrive in the time it may take; nothing was sent upstream'))
    case 'broken-off': return { kind: 'dropped' }
    case 'body': break
    default: return reading satisfies never
  }
  const { secret, service } = namespace
  const { method, target, fields } = call
  return {
    ...admitted, call, body: reading.body,
    id: keyId(secret, service, admitted.identity, admitted.key),
    fingerprint: fingerprint(secret, admitted.policy.fingerprint, { method, target, fields, body: reading.body }),
  }
}

/** `Idempotency-TTL: seconds`, as proposed in the IETF group's issue 49: a wish, answered within the route's bounds. */
function retentionOf(call: Pick<Call, 'fields'>, policy: Policy): number {
  const { defaultMs, minMs, maxMs } = policy.retention
  const wish = firstOf(call.fields, TTL_HEADER)
  if (wish === undefined || !/^\d{1,10}$/.test(wish)) return defaultMs
  return Math.min(Math.max(Number(wish) * 1000, minMs), maxMs)
}

function refused(route: string, outcome: KeyOutcome, because: Problem): Extract<Admission, { kind: 'refused' }> {
  return { kind: 'refused', route, outcome, problem: because }
}

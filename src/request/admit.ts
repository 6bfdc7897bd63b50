import { fingerprint, type Fingerprint } from '../core/fingerprint.ts'
import { firstOf } from '../core/headers.ts'
import { keyId, TTL_HEADER } from '../core/key.ts'
import { readKeyAhead, readKeyInBody, sourceText } from '../core/key-source.ts'
import type { Policy } from '../core/policy.ts'
import type { Clock, KeyOutcome, TokenVerdict, TokenVerifier } from '../core/ports.ts'
import { problem, type Problem } from '../core/problem.ts'
import type { KeyId } from '../core/record.ts'
import type { Known, Unknown } from '../core/identity.ts'
import { findRoute, type PassRetry, type Route } from '../core/route.ts'
import { byClaim, identify, type TokenScope } from '../core/scope.ts'
import { verifySignature } from '../core/webhook-signature.ts'
import { witness } from '../core/witness.ts'
import type { BodyReading, Call } from './call.ts'

/** Whose rules, which key: everything that can be said before the body is read. */
export type Admission =
  | { readonly kind: 'bypass', readonly route: Route, readonly way: Way }
  | { readonly kind: 'refused', readonly route: string, readonly outcome: KeyOutcome, readonly problem: Problem }
  | { readonly kind: 'guarded', readonly route: string, readonly policy: Policy, /** null: the body has it */ readonly key: string | null, readonly identity: string, readonly credential: string | null, /** see core/identity.ts */ readonly identityName: string | null, readonly retentionMs: number }

/**
 * How a request goes that no key hangs on: by the proxy plugin, as it is; or by our own connections, with a deadline for
 * the upstream's answer and with retries, if the route has them.
 */
export type Way = { readonly by: 'plugin' } | { readonly by: 'pool', readonly deadlineMs: number | null, readonly retry: PassRetry | null }

type Guarded = Extract<Admission, { kind: 'guarded' }>
type Refused = Extract<Admission, { kind: 'refused' }>
type Routed = { readonly kind: 'route', readonly route: Route } | Refused
type Heading = Pick<Call, 'method' | 'target' | 'fields'>

/** A guarded request with its body and everything that names it. */
export interface Entry extends Guarded {
  readonly key: string
  readonly call: Call
  /** emptied once this request only waits for another one's answer */
  body: Uint8Array
  readonly id: KeyId
  readonly fingerprint: Fingerprint
  /** what a stored reply's own must be, see core/witness.ts; null if the identity is enough */
  readonly witness: string | null
}

/** Who keeps the keys: the installation's secret and the service's name, both part of every id. */
export interface Namespace {
  readonly secret: string
  readonly service: string
}

export interface CaptureDependencies {
  readonly namespace: Namespace
  readonly limits: { readonly requestBodyBytes: number }
  readonly clock: Pick<Clock, 'wallMs'>
}

/** The route label of requests that no route can be found for. */
export const NO_ROUTE = 'none'

/** A promise only where a token has to be verified; nothing of the body is read before that. */
export function admit(call: Heading, routes: readonly Route[], tokens: TokenVerifier): Admission | Promise<Admission> {
  const routed = routeOf(call, routes)
  if (routed.kind === 'refused') return routed
  const { route } = routed
  if (route.action.kind === 'pass') {
    const { deadlineMs, retry } = route.action
    return { kind: 'bypass', route, way: deadlineMs === null ? { by: 'plugin' } : { by: 'pool', deadlineMs, retry } }
  }
  // What its policy would say is for shadow.ts to find out, beside the request's way and not in it.
  return route.action.kind === 'shadow' ? { kind: 'bypass', route, way: UNPROTECTED } : admitUnder(route.action.policy, route, call, tokens)
}

/** Without a deadline: a client that asks for no protection gets no limits with it. */
const UNPROTECTED: Way = { by: 'pool', deadlineMs: null, retry: null }

export function admitUnder(policy: Policy, route: Route, call: Heading, tokens: TokenVerifier): Admission | Promise<Admission> {
  const reading = readKeyAhead(call.fields, policy.keyFrom, policy.keyHeader)
  if (reading.kind === 'absent') {
    if (policy.key === 'optional') return { kind: 'bypass', route, way: UNPROTECTED }
    return refused(route.name, 'missing', keyMissing(policy))
  }
  if (reading.kind === 'invalid') return refused(route.name, 'invalid', problem('key-invalid', reading.detail))
  const identity = identify(call.fields, policy.scope)
  const key = reading.kind === 'present' ? reading.key : null
  switch (identity.kind) {
    case 'known': return guarded(call, route, policy, key, identity)
    case 'missing': case 'malformed': return refused(route.name, 'invalid', unidentified(identity))
    case 'token': return tokens.verify(identity.token, identity.scope).then((verdict) => {
      const proven = provenBy(verdict, identity.scope)
      return 'identity' in proven ? guarded(call, route, policy, key, proven) : refused(route.name, verdict.kind === 'unavailable' ? 'unavailable' : 'invalid', proven)
    })
    default: return identity satisfies never
  }
}

function guarded(call: Pick<Call, 'fields'>, route: Route, policy: Policy, key: string | null, { identity, witness: credential, name: identityName }: Known): Guarded {
  return { kind: 'guarded', route: route.name, policy, key, identity, credential, identityName, retentionMs: retentionOf(call, policy) }
}

function unidentified({ kind, detail }: Unknown): Problem {
  return problem(kind === 'missing' ? 'identity-missing' : 'request-invalid', detail)
}

function provenBy(verdict: TokenVerdict, scope: TokenScope): Known | Problem {
  switch (verdict.kind) {
    case 'verified': return byClaim(verdict.claims, scope) ?? problem('identity-invalid', `the token has no ${scope.claim.join('/')} that could name who asks`)
    case 'invalid': return problem('identity-invalid', verdict.detail)
    case 'unavailable': return problem('identity-unavailable', 'the keys that sign such tokens could not be read; nothing was sent upstream', { retryAfterMs: verdict.retryAfterMs })
    default: return verdict satisfies never
  }
}

/** Whose rules; a handshake for another protocol needs nothing more, because a key on it would mean nothing. */
export function routeOf(call: Heading, routes: readonly Route[]): Routed {
  const finding = findRoute(routes, call)
  switch (finding.kind) {
    case 'invalid': return refused(NO_ROUTE, 'invalid', problem('request-invalid', finding.detail))
    case 'reserved': return refused(NO_ROUTE, 'invalid', problem('not-found', 'paths below /_onceward/ are reserved, and this one means nothing'))
    case 'route': return finding
    default: return finding satisfies never
  }
}

/** Methods that change nothing by definition (RFC 9110 section 9.2.1): a key on them asks for nothing. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'REPORT', 'SEARCH'])

/** A client that sends a key relies on it; where the route looks at none, somebody should know. */
export function reliesInVain({ method, fields }: Heading): boolean {
  return !SAFE.has(method) && firstOf(fields, 'idempotency-key') !== undefined
}

/** Takes the body that was read; the claim needs all of it, for the fingerprint and for the attempts. */
export function capture(reading: BodyReading, call: Call, admitted: Guarded, { namespace, limits: { requestBodyBytes: maxBytes }, clock }: CaptureDependencies): Entry | Extract<Admission, { kind: 'refused' }> | { kind: 'dropped' } {
  switch (reading.kind) {
    case 'too-large': return refused(admitted.route, 'invalid', problem('body-too-large', `a request with an Idempotency-Key may have a body of at most ${maxBytes} bytes here`))
    case 'no-room': return refused(admitted.route, 'unavailable', problem('overloaded', 'the bodies being held have reached their limit; nothing was sent upstream', { retryAfterMs: 1000 }))
    case 'too-slow': return refused(admitted.route, 'invalid', problem('request-timeout', 'the body of a request with an Idempotency-Key did not arrive in the time it may take; nothing was sent upstream'))
    case 'broken-off': return { kind: 'dropped' }
    case 'body': break
    default: return reading satisfies never
  }
  const key = unproven(reading.body, call, admitted, clock) ?? admitted.key ?? keyIn(reading.body, admitted)
  if (typeof key !== 'string') {
    call.forgetBody()
    return key
  }
  const { secret, service } = namespace
  const { method, target, fields } = call
  return {
    ...admitted, key, call, body: reading.body,
    id: keyId(secret, service, admitted.identity, key),
    fingerprint: fingerprint(secret, admitted.policy.fingerprint, { method, target, fields, body: reading.body }),
    witness: admitted.credential === null ? null : witness(secret, admitted.credential),
  }
}

/** Why a request is none of the sender whose signature the route wants: nobody else's word is kept, compared or answered from the store. */
function unproven(body: Uint8Array, { fields }: Pick<Call, 'fields'>, { route, policy: { signature } }: Guarded, clock: Pick<Clock, 'wallMs'>): Refused | null {
  if (signature === null) return null
  const verdict = verifySignature(fields, body, signature, clock.wallMs())
  return verdict.kind === 'genuine' ? null : refused(route, 'invalid', problem('signature-invalid', verdict.detail))
}

/** The key of a request that has it in its body, or why it has none. */
function keyIn(body: Uint8Array, { route, policy }: Guarded): string | Refused {
  const reading = readKeyInBody(body, policy.keyFrom)
  switch (reading.kind) {
    case 'present': return reading.key
    case 'absent': return refused(route, 'missing', keyMissing(policy))
    case 'invalid': return refused(route, 'invalid', problem('key-invalid', reading.detail))
    default: return reading satisfies never
  }
}

function keyMissing({ keyFrom, keyHeader }: Policy): Problem {
  return problem('key-missing', `this route needs ${sourceText(keyFrom, keyHeader)}: a fresh one per operation, and the same one with every retry`)
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

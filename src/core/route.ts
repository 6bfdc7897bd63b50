import type { StatusPolicy } from './attempt.ts'
import type { CorsPolicy } from './cors.ts'
import type { DeadlineHeader } from './deadline.ts'
import { connectionNames, firstOf, valuesOf, type Fields } from './headers.ts'
import { lookalike, matchesPath, readPath, type PathPattern } from './path.ts'
import type { Policy } from './policy.ts'
import type { RetryPolicy } from './retry.ts'

/**
 * Requests go through as they are, with or without a key. `deadlineMs` is how long a client waits for the upstream's
 * answer on a route that has `retry`; null is for ever.
 */
export interface Pass {
  readonly kind: 'pass'
  readonly deadlineMs: number | null
  /** null on a route without `retry` */
  readonly retry: PassRetry | null
}

/** Requests go through as they are, once, and what `policy` would have made of them is counted (shadow.ts). */
export interface Shadowed {
  readonly kind: 'shadow'
  readonly policy: Policy
}

/** What is sent again although no key protects it, and how deadlines travel. */
export interface PassRetry extends RetryPolicy {
  /** those that the route names: none, or some of GET, HEAD, OPTIONS, PUT and DELETE */
  readonly methods: ReadonlySet<string>
  readonly status: StatusPolicy
  /** largest body that is held to be sent again; a larger one is sent once */
  readonly bodyBytes: number
  readonly deadlineFrom: DeadlineHeader | null
  readonly deadlineTo: DeadlineHeader | null
}

/** Which requests a route is for. */
export interface Conditions {
  /** upper case; null matches every method */
  readonly methods: ReadonlySet<string> | null
  /** lower case, without port; `*.` in front stands for any one label; null matches every host */
  readonly host: string | null
  readonly path: PathPattern
  readonly headers: readonly HeaderCondition[]
}

export interface HeaderCondition {
  /** lower case */
  readonly name: string
  /** null: any value will do, as long as the field is there */
  readonly value: string | null
}

export interface Route extends Conditions {
  /** the metric label; unique */
  readonly name: string
  /** `path` as a careless server would compare it; the same list where that makes no difference */
  readonly lookalike: PathPattern
  /** who may read our own replies from a web page; null says nothing about it */
  readonly cors: CorsPolicy | null
  readonly action: Pass | { readonly kind: 'guard', readonly policy: Policy } | Shadowed
}

/** Some request may be accepted now and executed later. */
export function acceptsAny(routes: readonly Route[]): boolean {
  return routes.some(({ action }) => action.kind === 'guard' && action.policy.accepts !== 'off')
}

/** The names of those that only look. */
export function shadowedNames(routes: readonly Route[]): string[] {
  return routes.filter(({ action }) => action.kind === 'shadow').map(({ name }) => name)
}

export interface Asked {
  readonly method: string
  /** as sent */
  readonly target: string
  readonly fields: Fields
}

export type Finding =
  | { readonly kind: 'route', readonly route: Route }
  /** 400: there is no telling which route this is for, or another server might tell otherwise */
  | { readonly kind: 'invalid', readonly detail: string }
  /** a path below /_onceward/ */
  | { readonly kind: 'reserved' }

/** Why a route is not for a request; of several reasons the first in this order. */
export type Mismatch =
  | { readonly kind: 'method' }
  | { readonly kind: 'path' }
  | { readonly kind: 'host' }
  | { readonly kind: 'header', readonly name: string, readonly found: 'absent' | 'other' }
  /** the field of a condition can be read in two ways */
  | { readonly kind: 'unclear', readonly detail: string }

/** Under this first segment Onceward speaks for itself; such a path never reaches the upstream. */
const RESERVED = '_onceward'

/**
 * The first route that matches, in the order of the configuration; the last one matches everything. A request that a
 * careless server (see `lookalike`) would take for one of another route is refused if either of the two guards:
 * `POST /V1/Charges` must not get around the policy of `/v1/charges`. Routes whose paths differ in no more than that
 * are told apart on purpose.
 */
export function findRoute(routes: readonly Route[], asked: Asked): Finding {
  const request = readRequest(asked)
  if (request.kind === 'invalid') return request
  const { segments, careless } = request
  if (segments[0] === RESERVED || careless[0] === RESERVED) return { kind: 'reserved' }
  let found: Route | undefined
  let similar: Route | undefined
  for (const route of routes) {
    const straight = mismatch(route, request, route.path, segments)
    const askew = careless === segments && route.lookalike === route.path ? straight : mismatch(route, request, route.lookalike, careless)
    const unclear = straight?.kind === 'unclear' ? straight : askew
    if (unclear?.kind === 'unclear') return { kind: 'invalid', detail: unclear.detail }
    if (straight === null) found ??= route
    if (askew === null) similar ??= route
    if (found !== undefined && similar !== undefined) break
  }
  if (found === undefined) return { kind: 'invalid', detail: 'no route matches this request' }
  if (similar === undefined || similar === found || !worthTellingApart(found, similar)) return { kind: 'route', route: found }
  return { kind: 'invalid', detail: 'the path could be read in two ways that have different rules; write it in its plain form' }
}

/** Why `route` is not for this request by its own path, or null if it is. */
export function whyNot(route: Route, asked: Asked): Mismatch | null {
  const request = readRequest(asked)
  return request.kind === 'invalid' ? NOT_THE_PATH : mismatch(route, request, route.path, request.segments)
}

interface ReadRequest {
  readonly kind: 'read'
  readonly method: string
  readonly segments: readonly string[]
  readonly careless: readonly string[]
  readonly authority: string | null
  readonly fields: Fields
}

function readRequest({ method, target, fields }: Asked): ReadRequest | Extract<Finding, { kind: 'invalid' }> {
  if (target === '*' && method !== 'OPTIONS') return { kind: 'invalid', detail: 'only OPTIONS may ask for *' }
  const reading = readPath(target)
  if (reading.kind === 'invalid') return reading
  return { kind: 'read', method, segments: reading.segments, careless: lookalike(reading.segments), authority: reading.authority, fields }
}

const NOT_THE_METHOD: Mismatch = { kind: 'method' }
const NOT_THE_PATH: Mismatch = { kind: 'path' }
const NOT_THE_HOST: Mismatch = { kind: 'host' }

function mismatch(route: Route, request: ReadRequest, path: PathPattern, segments: readonly string[]): Mismatch | null {
  if (route.methods !== null && !route.methods.has(request.method)) return NOT_THE_METHOD
  if (!matchesPath(path, segments)) return NOT_THE_PATH
  if (route.host !== null && !matchesHost(route.host, request)) return NOT_THE_HOST
  for (const condition of route.headers) {
    const unmet = unmetBy(request.fields, condition)
    if (unmet !== null) return unmet
  }
  return null
}

function matchesHost(expected: string, { authority, fields }: ReadRequest): boolean {
  const host = (authority ?? firstOf(fields, 'host') ?? '').trim().toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '')
  if (!expected.startsWith('*.')) return host === expected
  const dot = host.indexOf('.')
  return dot > 0 && host.slice(dot) === expected.slice(1)
}

/**
 * A field that Connection names is taken out before the upstream sees it: it must not choose the route, and whoever
 * sends it on purpose wants a route that the gateway in front did not choose.
 */
function unmetBy(fields: Fields, { name, value }: HeaderCondition): Mismatch | null {
  if (connectionNames(fields).has(name)) return { kind: 'unclear', detail: `the Connection field must not name ${name}` }
  const [first, ...more] = valuesOf(fields, name).map((sent) => sent.trim())
  if (first === undefined) return { kind: 'header', name, found: 'absent' }
  if (value === null) return null
  if (more.some((other) => other !== first)) return { kind: 'unclear', detail: `${name} was sent with more than one value` }
  return first === value ? null : { kind: 'header', name, found: 'other' }
}

function worthTellingApart(found: Route, similar: Route): boolean {
  if (found.action.kind !== 'guard' && similar.action.kind !== 'guard') return false
  return found.lookalike.join('/') !== similar.lookalike.join('/')
}

import type { StatusRule } from '../core/attempt.ts'
import type { Policy, WhenUnsure } from '../core/policy.ts'
import { pathPattern, readPath, type Route } from '../core/route.ts'
import type { ScopePolicy } from '../core/scope.ts'
import { parseAddress, parseOrigin } from './addresses.ts'
import type { Config } from './config.ts'
import { IDEMPOTENCY, RETRY, STATUS } from './policy-schema.ts'
import { defaultsOf, SCHEMA, type Document } from './schema.ts'
import { shadowWarnings } from './shadows.ts'
import { parseDuration, parseSize } from './units.ts'

type Groups = NonNullable<Document['defaults']>
type RouteEntry = NonNullable<Document['routes']>[number]

const ANONYMOUS_SHARE_WARNING = 'there is no configuration file, so all requests without Authorization or X-API-Key share one scope: '
  + 'who sends a key that another anonymous client has sent is given that client\'s reply. Write a file to choose (idempotency.anonymous).'

/** A document without mistakes becomes what the process runs on. */
export function resolve(document: Document, from: 'file' | 'no-file'): Config {
  const { properties } = SCHEMA
  const top = { ...defaultsOf(SCHEMA), ...document }
  const limits = { ...defaultsOf(properties.limits), ...document.limits }
  const store = { ...defaultsOf(properties.store), ...document.store }
  const defaults = from === 'file' ? document.defaults ?? {} : { idempotency: { anonymous: 'share' as const } }
  const configured = (document.routes ?? []).map((entry) => routeOf(entry, defaults))
  return {
    service: top.service,
    listen: proven(parseAddress(top.listen)),
    upstream: { origin: proven(parseOrigin(document.upstream)) },
    admin: { listen: proven(parseAddress({ ...defaultsOf(properties.admin), ...document.admin }.listen)) },
    store: { dataDir: store.data_dir, embedded: document.store?.embedded ?? 'auto' },
    limits: {
      requestBodyBytes: bytes(limits.request_body),
      keptReplyBytes: bytes(limits.kept_reply),
      heldBodiesBytes: bytes(limits.held_bodies),
      upstreamConnections: limits.upstream_connections,
      socketWaitMs: ms(limits.socket_wait),
      connectTimeoutMs: ms(limits.connect_timeout),
      headerBytes: bytes(limits.header_bytes),
      headerCount: limits.header_count,
      targetBytes: bytes(limits.target_bytes),
      headerTimeMs: ms(limits.header_time),
      bodyTimeMs: ms(limits.body_time),
      idleTimeMs: ms(limits.idle_time),
      connections: limits.connections,
      eventLoopDelayMs: ms(limits.event_loop_delay),
    },
    shutdownGraceMs: ms({ ...defaultsOf(properties.shutdown), ...document.shutdown }.grace),
    logLevel: { ...defaultsOf(properties.log), ...document.log }.level,
    routes: [...configured, ...fallbacks(defaults)],
    warnings: [...(from === 'file' ? [] : [ANONYMOUS_SHARE_WARNING]), ...shadowWarnings(configured)],
  }
}

function routeOf(entry: RouteEntry, defaults: Groups): Route {
  const { method, host, path } = entry.match
  const reading = readPath(path)
  return {
    name: entry.name,
    methods: method === undefined ? null : new Set(typeof method === 'string' ? [method] : method),
    host: host?.toLowerCase() ?? null,
    path: reading.kind === 'path' ? reading.segments : pathPattern(path),
    action: entry.pass === true ? { kind: 'pass' } : actionOf(defaults, entry),
  }
}

/** Every request matches one of them, so that "no route" is not a case anywhere. */
function fallbacks(defaults: Groups): Route[] {
  return [
    { name: 'default', methods: new Set(['POST', 'PATCH']), host: null, path: ['*'], action: actionOf(defaults, {}) },
    { name: 'pass-through', methods: null, host: null, path: ['*'], action: { kind: 'pass' } },
  ]
}

/** What the route says, else what `defaults` says, else the schema's default: field by field. */
function actionOf(defaults: Groups, own: Groups): Route['action'] {
  const idempotency = { ...defaultsOf(IDEMPOTENCY), ...defaults.idempotency, ...own.idempotency }
  const bounds = { ...defaultsOf(IDEMPOTENCY.properties.retention_bounds), ...defaults.idempotency?.retention_bounds, ...own.idempotency?.retention_bounds }
  const fingerprint = { ...defaultsOf(IDEMPOTENCY.properties.fingerprint), ...idempotency.fingerprint }
  const retry = { ...defaultsOf(RETRY), ...defaults.retry, ...own.retry }
  const status = { ...defaultsOf(STATUS), ...defaults.status, ...own.status }
  if (idempotency.key === 'ignored') return { kind: 'pass' }
  const whenUnsure: WhenUnsure = idempotency.when_unsure === 'hold' ? { kind: 'hold' } : { kind: 'resend', withinMs: ms(idempotency.when_unsure.resend.within) }
  const policy: Policy = {
    key: idempotency.key,
    scope: scopeOf(idempotency.scope, idempotency.credential_headers, idempotency.anonymous),
    fingerprint: { version: 1, mode: 'raw', headers: names(fingerprint.headers).sort() },
    retention: { defaultMs: ms(idempotency.retention), minMs: ms(bounds.min), maxMs: ms(bounds.max) },
    leaseMs: ms(idempotency.lease),
    inFlight: idempotency.in_flight === 'reject' ? { kind: 'reject' } : { kind: 'wait', waitMs: ms(idempotency.in_flight.wait) },
    whenUnsure,
    status: { rules: rulesOf(status), inProgress: inProgressOf(idempotency.when_unsure) },
    unknownStatus: idempotency.unknown_status,
    closeDelimited: idempotency.close_delimited,
    deadlineMs: ms(retry.deadline),
    lingerMs: ms(retry.linger),
  }
  return { kind: 'guard', policy }
}

function scopeOf(scope: 'credential' | 'none', headers: readonly string[], anonymous: 'refuse' | 'share'): ScopePolicy {
  return scope === 'none' ? { kind: 'none' } : { kind: 'credential', headers: names(headers), anonymous }
}

function rulesOf(status: { readonly [R in StatusRule]: readonly number[] }): ReadonlyMap<number, StatusRule> {
  const rules: readonly StatusRule[] = ['final', 'refused', 'lost']
  return new Map(rules.flatMap((rule) => status[rule].map((code) => [code, rule] as const)))
}

/** Only who may send again asks twice, so only there a status can speak about an earlier sending. */
function inProgressOf(whenUnsure: NonNullable<NonNullable<Groups['idempotency']>['when_unsure']>): readonly number[] {
  if (whenUnsure === 'hold') return []
  const [, { properties: { resend } }] = IDEMPOTENCY.properties.when_unsure.anyOf
  return whenUnsure.resend.in_progress ?? defaultsOf(resend).in_progress
}

/** Header names in the lower case that core/headers.ts compares with, each once. */
function names(headers: readonly string[]): string[] {
  return [...new Set(headers.map((name) => name.toLowerCase()))]
}

function ms(text: string): number {
  return proven(parseDuration(text))
}

function bytes(text: string): number {
  return proven(parseSize(text))
}

/** The schema has accepted the text with the same parser; if not, it is a bug and not a mistake of the file. */
function proven<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the schema accepted a value that its parser refuses')
  return value
}

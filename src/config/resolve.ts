import type { StatusRule } from '../core/attempt.ts'
import type { CorsPolicy } from '../core/cors.ts'
import { COOKIE } from '../core/credential.ts'
import type { FingerprintSpec } from '../core/fingerprint-spec.ts'
import { parsePointer } from '../core/json-pointer.ts'
import type { KeySource } from '../core/key-source.ts'
import type { Policy } from '../core/policy.ts'
import type { FilingRoute } from '../core/key-space.ts'
import { lookalike, readPath } from '../core/path.ts'
import { parseRedisUrl } from '../core/redis-target.ts'
import type { HeaderCondition, Route } from '../core/route.ts'
import type { ScopePolicy } from '../core/scope.ts'
import type { KeyPlace } from '../core/token.ts'
import { parseNetwork } from '../core/trusted-peers.ts'
import { parseAddress, parseOrigin } from './addresses.ts'
import type { Config, PostgresConfig, RedisConfig, SealingKeyConfig } from './config.ts'
import type { Certificates } from './certificates.ts'
import { beneath, consumerWarnings, signatureOf } from './consumer.ts'
import { filingOf } from './filing.ts'
import { operationsOf } from './operations.ts'
import { outboxOf } from './outbox.ts'
import { CORS, IDEMPOTENCY, RETRY, STATUS } from './policy-schema.ts'
import { defaultsOf, SCHEMA, type Document } from './schema.ts'
import { outageWarnings } from './outages.ts'
import { inProgressOf, whenUnsureOf } from './unsure.ts'
import { breakerOf, budgetsOf, deadlinesOf, passRetryOf, retryOf, retryWarnings } from './retries.ts'
import { parseSecret } from './secret.ts'
import { sinksOf, sinkWarnings } from './sinks.ts'
import { sourcesOf } from './sources.ts'
import { lookingOnWarnings, shadowWarnings } from './shadows.ts'
import { logOf, tracingOf } from './tracing.ts'
import { parseDuration, parseSize } from './units.ts'

type Groups = NonNullable<Document['defaults']>
type RouteEntry = NonNullable<Document['routes']>[number]

const ANONYMOUS_SHARE_WARNING = 'there is no configuration file, so all requests without Authorization or X-API-Key share one scope: '
  + 'who sends a key that another anonymous client has sent is given that client\'s reply. Write a file to choose (idempotency.anonymous).'

const ACCEPT_WARNING = 'accept: [frees-old-keys] is in force: a start or a reload may make old keys new, so that their retries run again. Take it out once the change is through.'

/** A document without mistakes becomes what the process runs on. */
export function resolve(document: Document, from: 'file' | 'no-file', certificates: Certificates = new Map()): Config {
  const { properties } = SCHEMA
  const top = { ...defaultsOf(SCHEMA), ...document }
  const limits = { ...defaultsOf(properties.limits), ...document.limits }
  const store = { ...defaultsOf(properties.store), ...document.store }
  const trust = { ...defaultsOf(properties.trust), ...document.trust }
  const defaults = from === 'file' ? document.defaults ?? {} : { idempotency: { anonymous: 'share' as const } }
  const configured = (document.routes ?? []).map((entry) => routeOf(entry, defaults))
  const routes = [...configured, ...fallbacks(defaults)]
  return {
    service: top.service,
    listen: proven(parseAddress(top.listen)),
    upstream: { origin: proven(parseOrigin(document.upstream)) },
    upstreamHost: top.upstream_host,
    trust: { proxies: trust.proxies.map((text) => proven(parseNetwork(text))), forwarded: trust.forwarded },
    admin: { listen: proven(parseAddress({ ...defaultsOf(properties.admin), ...document.admin }.listen)), tokens: document.admin?.tokens ?? [] },
    store: {
      dataDir: store.data_dir,
      embedded: document.store?.embedded ?? 'auto',
      postgres: postgresOf(document.store?.postgres),
      redis: redisOf(document.store?.redis),
      sealing: sealingOf(document.store?.sealing),
    },
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
    log: logOf(document.log),
    tracing: tracingOf(document.tracing, top.service),
    routes,
    budgets: budgetsOf(document.budgets),
    breaker: breakerOf(document.breaker),
    sinks: sinksOf(document, certificates),
    sources: sourcesOf(document),
    operations: operationsOf(document),
    keySpace: { service: top.service, routes: routes.map((route, i) => filingRoute(route, defaults, document.routes?.[i] ?? {})) },
    accept: new Set(top.accept),
    written: from === 'file' ? document : { ...document, defaults },
    warnings: [...(from === 'file' ? [] : [ANONYMOUS_SHARE_WARNING]), ...(top.accept.length > 0 ? [ACCEPT_WARNING] : []), ...shadowWarnings(configured), ...consumerWarnings(document.routes ?? []), ...outageWarnings(routes), ...lookingOnWarnings(routes), ...retryWarnings(document), ...sinkWarnings(document)],
  }
}

type StoreGroup = NonNullable<Document['store']>

function postgresOf(written: StoreGroup['postgres']): PostgresConfig | null {
  if (written === undefined) return null
  const [, fields] = SCHEMA.properties.store.properties.postgres.anyOf
  const postgres = { ...defaultsOf(fields), ...(typeof written === 'string' ? { url: written } : written) }
  const { url, connections, schema, partitions, migrate, durability, deadline, prepare = true } = postgres
  return { url, connections, schema, partitions, migrate, durability, deadlineMs: ms(deadline), prepare }
}

function redisOf(written: StoreGroup['redis']): RedisConfig | null {
  if (written === undefined) return null
  const [, fields] = SCHEMA.properties.store.properties.redis.anyOf
  const redis = { ...defaultsOf(fields), ...(typeof written === 'string' ? { url: written } : written) }
  return { target: proven(parseRedisUrl(redis.url)), caFile: redis.ca_file ?? null, keepMs: ms(redis.keep), timeoutMs: ms(redis.timeout) }
}

function sealingOf(written: StoreGroup['sealing']): SealingKeyConfig[] {
  return (written?.keys ?? []).map(({ id, secret }) => ({ id, secret: proven(parseSecret(secret)) }))
}

function routeOf(entry: RouteEntry, defaults: Groups): Route {
  const { method, host, headers, path } = entry.match
  const pattern = patternOf(path)
  return {
    name: entry.name,
    methods: method === undefined ? null : new Set(typeof method === 'string' ? [method] : method),
    host: host?.toLowerCase() ?? null,
    path: pattern,
    lookalike: lookalike(pattern),
    headers: Object.entries(headers ?? {}).map(([name, value]): HeaderCondition => ({ name: name.toLowerCase(), value: value === '*' ? null : value })),
    cors: corsOf(defaults, entry),
    action: entry.pass === true ? { kind: 'pass', deadlineMs: null, retry: null } : actionOf(beneath(defaults, entry), entry, entry.name),
  }
}

/** The schema accepts a pattern only if it is in normal form already. */
function patternOf(path: string): readonly string[] {
  const reading = readPath(path)
  return proven(reading.kind === 'path' ? reading.segments : undefined)
}

/** Every request matches one of them, so that "no route" is not a case anywhere. */
function fallbacks(defaults: Groups): Route[] {
  const everything = { host: null, path: ['*'], headers: [] }
  return [
    { name: 'default', methods: new Set(['POST', 'PATCH']), ...everything, lookalike: everything.path, cors: corsOf(defaults, {}), action: actionOf(defaults, {}, 'default') },
    { name: 'pass-through', methods: null, ...everything, lookalike: everything.path, cors: corsOf(defaults, {}), action: { kind: 'pass', deadlineMs: null, retry: null } },
  ]
}

function filingRoute({ name, methods, host, path, headers, action }: Route, defaults: Groups, own: Pick<RouteEntry, keyof Groups | 'consumer'>): FilingRoute {
  const filing = action.kind !== 'guard' ? null : filingOf({ ...defaultsOf(IDEMPOTENCY), ...beneath(defaults, own).idempotency, ...own.idempotency }, name, own.consumer === undefined ? 'first' : 'ignored')
  return { name, methods, host, path, headers, filing }
}

/** What the route says, else what `defaults` says, else the schema's default: field by field. */
function actionOf(defaults: Groups, own: Pick<RouteEntry, keyof Groups | 'outbox' | 'consumer' | 'async'>, name: string): Route['action'] {
  const idempotency = { ...defaultsOf(IDEMPOTENCY), ...defaults.idempotency, ...own.idempotency }
  const bounds = { ...defaultsOf(IDEMPOTENCY.properties.retention_bounds), ...defaults.idempotency?.retention_bounds, ...own.idempotency?.retention_bounds }
  const fingerprint = { ...defaultsOf(IDEMPOTENCY.properties.fingerprint), ...defaults.idempotency?.fingerprint, ...own.idempotency?.fingerprint }
  const retry = { ...defaultsOf(RETRY), ...defaults.retry, ...own.retry }
  const status = { ...defaultsOf(STATUS), ...defaults.status, ...own.status }
  const patient = own.retry === undefined && defaults.retry === undefined
  if (idempotency.key === 'ignored') return patient ? { kind: 'pass', deadlineMs: null, retry: null } : { kind: 'pass', deadlineMs: ms(retry.deadline), retry: passRetryOf(retry, { rules: rulesOf(status), inProgress: [], otherwise: status.otherwise, proofs: names(status.refused_by) }) }
  const policy: Policy = {
    key: idempotency.key,
    keyFrom: keySourceOf(idempotency.key_from),
    keyHeader: own.consumer === undefined ? 'first' : 'ignored',
    signature: signatureOf(own.consumer),
    scope: scopeOf(idempotency, name),
    fingerprint: fingerprintOf(fingerprint),
    retention: { defaultMs: ms(idempotency.retention), minMs: ms(bounds.min), maxMs: ms(bounds.max) },
    leaseMs: ms(idempotency.lease),
    inFlight: idempotency.in_flight === 'reject' ? { kind: 'reject' } : { kind: 'wait', waitMs: ms(idempotency.in_flight.wait) },
    whenUnsure: whenUnsureOf(idempotency.when_unsure),
    storeOutage: idempotency.store_outage,
    claimWithinMs: ms(idempotency.claim_within),
    status: { rules: rulesOf(status), inProgress: inProgressOf(idempotency.when_unsure), otherwise: status.otherwise, proofs: names(status.refused_by) },
    unknownStatus: idempotency.unknown_status,
    closeDelimited: idempotency.close_delimited,
    retry: retryOf(retry),
    deadlineMs: ms(retry.deadline),
    ...deadlinesOf(retry),
    lingerMs: ms(retry.linger),
    accepts: own.async ?? 'off',
    outbox: outboxOf(own.outbox),
  }
  return { kind: idempotency.mode === 'shadow' ? 'shadow' : 'guard', policy }
}

function corsOf(defaults: Groups, own: Groups): CorsPolicy | null {
  const { origins } = { ...defaultsOf(CORS), ...defaults.cors, ...own.cors }
  return origins.length === 0 ? null : { origins: new Set(origins) }
}

interface Scoped {
  readonly scope: NonNullable<NonNullable<Groups['idempotency']>['scope']>
  readonly credential_headers: readonly string[]
  readonly anonymous: 'refuse' | 'share'
}

function scopeOf({ scope, credential_headers: headers, anonymous }: Scoped, route: string): ScopePolicy {
  if (scope === 'none') return { kind: 'none' }
  if (scope === 'route') return { kind: 'route', route }
  if (scope === 'credential') return { kind: 'credential', headers: credentialNames(headers), anonymous }
  if (scope.header !== undefined) return { kind: 'header', header: scope.header.toLowerCase() }
  const { claim, jwks, issuer = null, audience = null } = proven(scope.jwt)
  return { kind: 'jwt', claim: claimPath(claim), keys: keysOf(jwks), issuer, audience }
}

type Keys = NonNullable<Exclude<Scoped['scope'], string>['jwt']>['jwks']

function keysOf(jwks: Keys): KeyPlace {
  if (typeof jwks === 'string') return { kind: 'url', place: jwks }
  return jwks.file === undefined ? { kind: 'url', place: proven(jwks.plain_http) } : { kind: 'file', place: jwks.file }
}

/** A name may hold any character (`https://example.com/tenant` is a usual one); only a slash in front makes it a JSON pointer (RFC 6901). */
function claimPath(claim: string): string[] {
  return claim.startsWith('/') ? claim.slice(1).split('/').map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~')) : [claim]
}

/** The names of cookies stay as they are: they are case-sensitive, and headers are not. */
function credentialNames(headers: readonly string[]): string[] {
  return [...new Set(headers.map((name) => (/^cookie:/i.test(name) ? `${COOKIE}${name.slice(COOKIE.length)}` : name.toLowerCase())))]
}

function keySourceOf(from: NonNullable<Groups['idempotency']>['key_from']): KeySource {
  if (from === undefined || from === 'none') return { kind: 'none' }
  if (from === 'cloudevents') return { kind: 'cloudevents' }
  if (from.pointer !== undefined) return { kind: 'pointer', pointer: proven(parsePointer(from.pointer)) }
  return { kind: 'headers', names: names(proven(from.headers ?? (from.header === undefined ? undefined : [from.header]))) }
}

function fingerprintOf({ mode, headers, exclude }: { readonly mode: 'raw' | 'json', readonly headers: readonly string[], readonly exclude: readonly string[] }): FingerprintSpec {
  const sorted = names(headers).sort()
  return mode === 'raw' ? { version: 2, mode, headers: sorted } : { version: 2, mode, headers: sorted, exclude: exclude.toSorted() }
}

function rulesOf(status: { readonly [R in StatusRule]: readonly number[] }): ReadonlyMap<number, StatusRule> {
  const rules: readonly StatusRule[] = ['final', 'refused', 'lost']
  return new Map(rules.flatMap((rule) => status[rule].map((code) => [code, rule] as const)))
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

import { HOP_BY_HOP } from '../core/headers.ts'
import { KEY_HEADER } from '../core/key.ts'
import { isLoopback, leadsTo, parseAddress, parseOrigin, sameAddress } from './addresses.ts'
import { checkConsumer } from './consumer-rules.ts'
import { beneath } from './consumer.ts'
import { FORMATS } from './formats.ts'
import { wrongValue, type Locate, type Mistake, type Path } from './mistakes.ts'
import { checkAsync, checkOperations } from './operations-rules.ts'
import { checkOutbox } from './outbox-rules.ts'
import { IDEMPOTENCY, STATUS } from './policy-schema.ts'
import { checkProbe } from './probe-rules.ts'
import { checkBudgets, checkRetry } from './retry-rules.ts'
import { defaultsOf, SCHEMA, type Draft } from './schema.ts'
import { checkSinks } from './sinks-rules.ts'
import { checkSources } from './sources-rules.ts'
import { checkTracing } from './tracing-rules.ts'
import { parseDuration, parseSize } from './units.ts'

type Groups = NonNullable<Draft['defaults']>

/*
 * What no single field can get wrong. The rules see a draft in which every value that is there is right in itself. A
 * rule is not applied to a field that was refused: its default, which the draft would give it, is not what was meant.
 */

export interface Judged {
  readonly draft: Draft
  readonly refused: (path: Path) => boolean
}

export function crossCheck(judged: Judged, locate: Locate): Mistake[] {
  return [...checkAddresses(judged, locate), ...checkOperators(judged, locate), ...checkLimits(judged, locate), ...checkSealing(judged.draft, locate), ...checkBudgets(judged.draft, locate), ...checkSinks(judged, locate), ...checkSources(judged, locate), ...checkTracing(judged.draft, locate), ...checkOperations(judged.draft, judged.refused, locate), ...checkRoutes(judged, locate), ...checkPolicies(judged, locate)]
}

function checkAddresses({ draft, refused }: Judged, locate: Locate): Mistake[] {
  if (refused(['listen']) || refused(['admin', 'listen'])) return []
  const listen = parseAddress(draft.listen ?? SCHEMA.properties.listen.default)
  const admin = parseAddress(draft.admin?.listen ?? SCHEMA.properties.admin.properties.listen.default)
  const origin = draft.upstream === undefined ? undefined : parseOrigin(draft.upstream)
  if (listen === undefined || admin === undefined) return []
  const mistakes: Mistake[] = []
  if (sameAddress(listen, admin)) {
    // point at the one that was written; the other may be a default
    const [path, other] = draft.admin?.listen === undefined ? [['listen'], 'admin.listen'] : [['admin', 'listen'], 'listen']
    mistakes.push(wrongValue(locate(path), path, `another address than ${other} has`))
  }
  if (origin !== undefined && (leadsTo(origin, listen) || leadsTo(origin, admin))) {
    mistakes.push(wrongValue(locate(['upstream']), ['upstream'], 'the address of the service behind; this one is where Onceward itself listens'))
  }
  return mistakes
}

/** Whoever reaches an address that is not a loopback one must show who they are. */
function checkOperators({ draft: { admin }, refused }: Judged, locate: Locate): Mistake[] {
  const tokens = admin?.tokens ?? []
  const twice = tokens.flatMap(({ name, token }, i) => {
    const before = tokens.slice(0, i)
    const field = before.some((other) => other.name === name) ? 'name' : before.some((other) => other.token === token) ? 'token' : null
    const path = ['admin', 'tokens', String(i), field ?? '']
    return field === null ? [] : [wrongValue(locate(path), path, `a ${field} that no token before it has`)]
  })
  const address = admin?.listen === undefined ? undefined : parseAddress(admin.listen)
  if (address === undefined || isLoopback(address.host) || tokens.length > 0 || refused(['admin', 'listen']) || refused(['admin', 'tokens'])) return twice
  const path = ['admin', 'listen']
  return [wrongValue(locate(path), path, 'a loopback address such as 127.0.0.1:9901, because whoever reaches it needs no password; or any with admin.tokens'), ...twice]
}

function checkLimits({ draft, refused }: Judged, locate: Locate): Mistake[] {
  const limits = { ...defaultsOf(SCHEMA.properties.limits), ...draft.limits }
  const held = parseSize(limits.held_bodies) ?? Infinity
  const names = ['request_body', 'kept_reply'] as const
  const judged = names.filter((name) => !refused(['limits', name]) && !refused(['limits', 'held_bodies']))
  return judged.filter((name) => (parseSize(limits[name]) ?? 0) > held).map((name) => {
    const path = ['limits', draft.limits?.[name] === undefined ? 'held_bodies' : name]
    return wrongValue(locate(path), path, `limits.${name} at most as large as limits.held_bodies, so that one body fits`)
  })
}

/** What was sealed under a name must be opened by the key that had it. */
function checkSealing({ store }: Draft, locate: Locate): Mistake[] {
  const keys = store?.sealing?.keys ?? []
  return keys.flatMap(({ id }, i) => {
    const path = ['store', 'sealing', 'keys', String(i), 'id']
    return id !== undefined && keys.findIndex((other) => other.id === id) < i ? [wrongValue(locate(path), path, 'a name that no key before it has')] : []
  })
}

function checkRoutes({ draft, refused }: Judged, locate: Locate): Mistake[] {
  const names = new Set<string>()
  return (draft.routes ?? []).flatMap((route, i) => {
    const at = ['routes', String(i)]
    const mistakes: Mistake[] = []
    const named = [...at, 'name']
    if (route.name === 'default' || route.name === 'pass-through') mistakes.push(wrongValue(locate(named), named, `another name; ${route.name} is the name of a fallback route`))
    if (route.name !== undefined && names.has(route.name)) mistakes.push(wrongValue(locate(named), named, 'a name that no route before it has'))
    if (route.name !== undefined) names.add(route.name)
    mistakes.push(...checkHeaderNames(Object.keys(route.match?.headers ?? {}), [...at, 'match', 'headers'], locate))
    for (const group of ['idempotency', 'retry', 'status'] as const) {
      const path = [...at, group]
      if (route.pass === true && route[group] !== undefined) mistakes.push(wrongValue(locate(path), path, `nothing, because the route has pass: true`))
    }
    mistakes.push(...checkConsumer(route, at, locate), ...checkOutbox(route, draft, at, locate), ...checkAsync(route, draft, refused, at, locate))
    return mistakes
  })
}

/** What an upstream never sees as it was sent cannot choose a route. */
const NO_CONDITION: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'content-length', 'expect'])

function checkHeaderNames(names: readonly string[], group: Path, locate: Locate): Mistake[] {
  const seen = new Set<string>()
  return names.flatMap((name) => {
    const path = [...group, name]
    const wrong = (expected: string): Mistake[] => [wrongValue({ ...locate(path, 'name'), found: name }, path, expected)]
    const lower = name.toLowerCase()
    if (FORMATS.get('header-name')?.accepts(name) !== true) return wrong('the name of a header such as x-version')
    if (lower === 'host') return wrong('another header; match.host is for this one')
    if (NO_CONDITION.has(lower)) return wrong('another header; this one belongs to the connection')
    if (seen.has(lower)) return wrong('every name once; upper and lower case are the same')
    seen.add(lower)
    return []
  })
}

/** The defaults are judged once; a route only if it sets one of the fields that a rule is about. */
function checkPolicies({ draft, refused }: Judged, locate: Locate): Mistake[] {
  const defaults = draft.defaults ?? {}
  const layers = [{ own: defaults, at: ['defaults'], below: {} }, ...(draft.routes ?? []).map((own, i) => ({ own, at: ['routes', String(i)], below: beneath(defaults, own) }))]
  return layers.flatMap(({ own, at, below }) => {
    const inDoubt = (...field: string[]) => refused([...at, ...field]) || refused(['defaults', ...field])
    const retention = inDoubt('idempotency', 'retention') || inDoubt('idempotency', 'retention_bounds') ? [] : checkRetention(own, below, at, locate)
    const source = inDoubt('idempotency', 'key') || inDoubt('idempotency', 'key_from') ? [] : checkKeySource(own, below, at, locate)
    const exclusions = inDoubt('idempotency', 'fingerprint') ? [] : checkExclusions(own, below, at, locate)
    const probe = inDoubt('idempotency', 'when_unsure') || inDoubt('idempotency', 'scope') ? [] : checkProbe(scoped(own, below), below, at, locate)
    return [...retention, ...source, ...exclusions, ...probe, ...(inDoubt('status') ? [] : checkStatuses(own, below, at, locate)), ...checkRetry(own.retry, draft, at[0] === 'routes' && keyOf(own, below) !== 'ignored', at, locate)]
  })
}

/** The scope that `consumer` says is as good as written on the route: it must not meet a probe that asks for another one. */
function scoped(own: Groups & { readonly consumer?: unknown }, below: Groups): Groups {
  const scope = below.idempotency?.scope
  return own.consumer === undefined || scope === undefined ? own : { ...own, idempotency: { scope, ...own.idempotency } }
}

function checkKeySource(own: Groups, below: Groups, at: Path, locate: Locate): Mistake[] {
  const set = own.idempotency
  const group = [...at, 'idempotency']
  const source = set?.key_from ?? below.idempotency?.key_from ?? 'none'
  if ((set?.key === undefined && set?.key_from === undefined) || source === 'none') return []
  const key = set.key ?? below.idempotency?.key ?? IDEMPOTENCY.properties.key.default
  if ((source === 'cloudevents' || source.pointer !== undefined) && key === 'optional') {
    const path = [...group, set.key_from === undefined ? 'key' : 'key_from']
    return [wrongValue(locate(path), path, 'key: required where key_from is a pointer or cloudevents, because what may pass without a key is passed on before its body is read')]
  }
  if (set.key_from === undefined || source === 'cloudevents') return []
  const named = source.header === undefined ? (source.headers ?? []).map((name, i) => [name, 'headers', String(i)]) : [[source.header, 'header']]
  return named.flatMap(([name = '', ...field]) => {
    const path = [...group, 'key_from', ...field]
    if (name.toLowerCase() === KEY_HEADER) return [wrongValue(locate(path), path, 'another header; Idempotency-Key is always looked at first')]
    return HOP_BY_HOP.has(name.toLowerCase()) ? [wrongValue(locate(path), path, 'another header; this one belongs to the connection')] : []
  })
}

function keyOf(own: Groups, below: Groups): string | undefined {
  return own.idempotency?.key ?? below.idempotency?.key
}

function checkExclusions(own: Groups, below: Groups, at: Path, locate: Locate): Mistake[] {
  const set = own.idempotency?.fingerprint
  const mode = set?.mode ?? below.idempotency?.fingerprint?.mode ?? IDEMPOTENCY.properties.fingerprint.properties.mode.default
  if (mode === 'json' || set?.exclude === undefined || set.exclude.length === 0) return []
  const path = [...at, 'idempotency', 'fingerprint', 'exclude']
  return [wrongValue(locate(path), path, 'mode: json beside it, because raw bodies have no members')]
}

function checkRetention(own: Groups, below: Groups, at: Path, locate: Locate): Mistake[] {
  const set = own.idempotency
  if (set?.retention === undefined && set?.retention_bounds === undefined) return []
  const bounds = { ...defaultsOf(IDEMPOTENCY.properties.retention_bounds), ...below.idempotency?.retention_bounds, ...set.retention_bounds }
  const retention = set.retention ?? below.idempotency?.retention ?? IDEMPOTENCY.properties.retention.default
  const min = parseDuration(bounds.min) ?? 0
  const max = parseDuration(bounds.max) ?? Infinity
  const value = parseDuration(retention) ?? min
  const group = [...at, 'idempotency']
  if (min > max) {
    const path = [...group, 'retention_bounds']
    return [wrongValue(locate(path), path, 'min at most as long as max')]
  }
  if (value >= min && value <= max) return []
  const path = [...group, set.retention === undefined ? 'retention_bounds' : 'retention']
  const [side, than] = value < min ? ['min', 'least'] : ['max', 'most']
  const known = set.retention_bounds === undefined && below.idempotency?.retention_bounds === undefined ? `, ${side === 'min' ? bounds.min : bounds.max} by default` : ''
  return [wrongValue(locate(path), path, `retention at ${than} retention_bounds.${side}${known}; change one of them`)]
}

function checkStatuses(own: Groups, below: Groups, at: Path, locate: Locate): Mistake[] {
  const set = own.status
  if (set === undefined) return []
  const lists = { ...defaultsOf(STATUS), ...below.status, ...set }
  const first = new Map<number, string>()
  const mistakes: Mistake[] = []
  for (const list of ['final', 'refused', 'lost'] as const) {
    for (const [i, status] of lists[list].entries()) {
      const other = first.get(status)
      if (other === undefined) first.set(status, list)
      else {
        // point at what this layer wrote itself: the other half may be an inherited list
        const path = set[list] === undefined ? [...at, 'status', other] : [...at, 'status', list, String(i)]
        mistakes.push(wrongValue(locate(path), path, `a status in one list; it stands in ${other} and in ${list}`))
      }
    }
  }
  return mistakes
}

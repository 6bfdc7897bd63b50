import { HOP_BY_HOP } from '../core/headers.ts'
import { names, parseTemplate, type Template } from '../core/template.ts'
import { FORMATS } from './formats.ts'
import { wrongValue, type Locate, type Mistake, type Path } from './mistakes.ts'
import { IDEMPOTENCY } from './policy-schema.ts'
import type { Draft } from './schema.ts'

type Groups = NonNullable<Draft['defaults']>
type Idempotency = NonNullable<Groups['idempotency']>

/** Written anew for each message, or by us. */
const TAKEN: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'content-length', 'expect', 'host', 'accept-encoding', 'user-agent'])

/**
 * A probe whose question does not say whose request it is would tell one client of another's. What a client says of itself is
 * no answer to that: with a header or a body of its own choice it could have the probe look up somebody else's.
 */
export function checkProbe(own: Groups, below: Groups, at: Path, locate: Locate): Mistake[] {
  const set = own.idempotency
  if (set?.when_unsure === undefined && set?.scope === undefined && set?.credential_headers === undefined) return []
  const unsure = set.when_unsure ?? below.idempotency?.when_unsure
  const probe = unsure === undefined || unsure === 'hold' ? undefined : unsure.probe
  if (probe === undefined) return []
  const group = set.when_unsure === undefined ? [...at, 'idempotency'] : [...at, 'idempotency', 'when_unsure', 'probe']
  const inherited = set.when_unsure === undefined
  const wrong = (field: Path, expected: string): Mistake => {
    const path = inherited ? [...group, 'scope'] : [...group, ...field]
    return wrongValue(locate(path), path, expected)
  }
  const mistakes: Mistake[] = []
  const scope: Idempotency['scope'] = set.scope ?? below.idempotency?.scope ?? IDEMPOTENCY.properties.scope.default
  const templates = [probe.get, ...Object.values(probe.headers ?? {}), ...Object.values(probe.expect ?? {})].map((text) => parseTemplate(text ?? '') ?? [])
  const named = templates.some((template) => names(template, 'identity'))
  if (scope === 'credential') mistakes.push(wrong(['get'], 'scope: { header: ... } or { jwt: ... } beside it, because the upstream has no name for a credential that could be asked for'))
  else if ((scope === 'none' || scope === 'route') && named) mistakes.push(wrong(['get'], `no {identity}, because with scope: ${scope} nobody says who asks`))
  else if (scope !== 'none' && scope !== 'route' && !named) mistakes.push(wrong(['get'], '{identity} in get, in a header or in expect, so that nobody is told of another client\'s request'))
  if (inherited) return mistakes
  mistakes.push(...checkHeaders(probe, group, locate), ...checkCredential(probe, templates, set.credential_headers ?? below.idempotency?.credential_headers ?? [], group, locate))
  for (const sign of ['found', 'absent'] as const) {
    if (probe[sign]?.equals !== undefined && probe[sign].pointer === undefined) mistakes.push(wrong([sign, 'equals'], 'a pointer beside it that says where'))
  }
  for (const pointer of Object.keys(probe.expect ?? {})) {
    const path = [...group, 'expect', pointer]
    if (FORMATS.get('json-pointer')?.accepts(pointer) !== true) mistakes.push(wrongValue({ ...locate(path, 'name'), found: pointer }, path, 'a JSON pointer such as /account'))
  }
  return mistakes
}

type Probe = NonNullable<Exclude<NonNullable<Idempotency['when_unsure']>, string>['probe']>

function checkHeaders({ headers, credential }: Probe, group: Path, locate: Locate): Mistake[] {
  const written: Path[] = [...Object.keys(headers ?? {}).map((name) => [...group, 'headers', name])]
  const mistakes = written.flatMap((path) => {
    const name = path.at(-1) ?? ''
    if (FORMATS.get('header-name')?.accepts(name) === true && !TAKEN.has(name.toLowerCase()) && name.toLowerCase() !== credential?.header?.toLowerCase()) return []
    return [wrongValue({ ...locate(path, 'name'), found: name }, path, 'the name of a header that is not written by us')]
  })
  if (credential?.header === undefined || !TAKEN.has(credential.header.toLowerCase())) return mistakes
  const path = [...group, 'credential', 'header']
  return [...mistakes, wrongValue(locate(path), path, 'the name of a header that is not written by us')]
}

/** What a file says is read by many; and what is filled in is stored. */
function checkCredential({ credential }: Probe, templates: readonly Template[], credentials: readonly string[], group: Path, locate: Locate): Mistake[] {
  const mistakes: Mistake[] = []
  const path = [...group, 'credential', 'value']
  const spot = locate(path)
  if (credential?.value !== undefined && spot.literal !== null && spot.line > 0) mistakes.push(wrongValue({ ...spot, found: 'a text that is not shown' }, path, FORMATS.get('probe-credential')?.expected ?? ''))
  const secret = new Set([...credentials.map((name) => name.toLowerCase()), 'authorization', 'cookie', 'x-api-key', 'proxy-authorization'])
  const stored = templates.flat().find((part) => part.kind === 'header' && secret.has(part.name))
  if (stored !== undefined) mistakes.push(wrongValue(locate([...group, 'get']), [...group, 'get'], 'no header that is a credential, because what is filled in is stored'))
  return mistakes
}

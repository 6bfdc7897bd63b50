import type { Config } from '../config/config.ts'
import { loadFrom } from '../config/load.ts'
import { formatMistake } from '../config/mistakes.ts'
import { originsOf, type FieldOrigin } from '../config/origins.ts'
import type { Environment } from '../config/substitute.ts'
import { firstOf } from '../core/headers.ts'
import { readPath } from '../core/path.ts'
import { findRoute, whyNot, type Asked, type Mismatch, type Route } from '../core/route.ts'
import type { Journal } from '../core/ports.ts'
import { systemClock } from '../host/clock.ts'
import { JwtVerifier } from '../identity/jwt.ts'
import { admit, admitUnder, type Admission } from '../request/admit.ts'
import { acceptanceOf } from '../request/acceptance.ts'
import type { Flags } from './arguments.ts'
import { EXIT, type Output } from './output.ts'

/**
 * Says which route a request would take, why none before it, what the policy is and who says so, and what would become
 * of the request. Nothing is sent to the upstream, and a token is verified; what depends on the body or on other requests
 * is not judged. Returns the exit code.
 */
export async function explain(asked: Asked, flags: Flags, environment: Environment, output: Output): Promise<number> {
  const loaded = await loadFrom(flags, environment)
  if (loaded.kind === 'faulty') {
    for (const mistake of loaded.mistakes) output.complaint(formatMistake(mistake))
    return EXIT.config
  }
  const { config } = loaded
  const finding = findRoute(config.routes, asked)
  if (finding.kind === 'route') for (const line of [...wayTo(finding.route, asked, config), '', ...policyOf(finding.route, config), '']) output.line(line)
  const tokens = new JwtVerifier(systemClock(), complaining(output))
  const admission = await Promise.resolve(admit(asked, config.routes, tokens))
  output.line(admission.kind === 'bypass' && admission.route.action.kind === 'shadow'
    ? `This request passes as it is, because of mode: shadow. With mode: enforce: ${fateOf(await admitUnder(admission.route.action.policy, admission.route, asked, tokens), asked)}`
    : fateOf(admission, asked))
  await tokens.close()
  return admission.kind === 'refused' ? EXIT.refused : EXIT.ok
}

/** The normalised path, and every route up to the one that matches, each with its reason. */
function wayTo(found: Route, asked: Asked, config: Config): string[] {
  const reading = readPath(asked.target)
  const path = reading.kind === 'path' ? `/${reading.segments.join('/')}` : asked.target
  const tried = config.routes.slice(0, config.routes.indexOf(found) + 1)
  const width = Math.max(...tried.map(({ name }) => name.length))
  return [
    `${asked.method} ${path}`,
    ...tried.map((route, i) => {
      const mismatch = whyNot(route, asked)
      return `  ${i + 1}. ${route.name.padEnd(width)}  ${mismatch === null ? 'yes' : `no: ${reasonOf(mismatch, route, asked)}`}`
    }),
  ]
}

function reasonOf(mismatch: Mismatch, { methods, path, host }: Route, asked: Asked): string {
  switch (mismatch.kind) {
    case 'method': return `it is for ${[...methods ?? []].join(' ')}`
    case 'path': return `it is for /${path.join('/')}`
    case 'host': return `it is for the host ${host ?? ''}${firstOf(asked.fields, 'host') === undefined ? ', and no Host was given' : ''}`
    case 'header': return mismatch.found === 'absent' ? `it wants the header ${mismatch.name}` : `it wants another value of the header ${mismatch.name}`
    case 'unclear': return mismatch.detail
    default: return mismatch satisfies never
  }
}

function policyOf(route: Route, config: Config): string[] {
  const position = config.routes.indexOf(route)
  const entry = config.written.routes?.[position]
  if (entry?.pass === true) return [`${route.name} passes everything as it is, because the route says pass: true`]
  const fields = originsOf(config.written, entry === undefined ? null : position)
  const key = fields.find(({ field }) => field === 'idempotency.key')
  if (route.action.kind === 'pass') {
    const why = `${route.name} passes everything as it is, ${key?.value === 'ignored' ? `because idempotency.key is ignored (${key.origin})` : 'as the last route behind all others'}`
    const { retry } = route.action
    return retry === null ? [why] : [`${why}${retry.methods.size === 0 ? ', within its deadline' : ', and sends some of it again'}:`, ...table(fields.filter(({ field }) => /^(retry|status)\./.test(field)))]
  }
  if (route.action.kind === 'shadow') return [`${route.name} is in shadow mode: it passes everything as it is, protects nothing, and counts what this policy would have done:`, ...table(fields)]
  return [`${route.name} guards what carries a key, under this policy:`, ...table(fields)]
}

function table(fields: readonly FieldOrigin[]): string[] {
  const [names, values] = [fields.map(({ field }) => field), fields.map(({ value }) => value)].map((column) => Math.max(...column.map(({ length }) => length)))
  return fields.map(({ field, value, origin }) => `  ${field.padEnd(names ?? 0)}  ${value.padEnd(values ?? 0)}  ${origin}`)
}

/** Why an issuer's keys could not be read is worth a line; nothing else is noted here. */
function complaining(output: Output): Journal {
  const complain = (event: string, detail: Readonly<Record<string, string | number>>): void => output.complaint(`${event}: ${Object.values(detail).join(': ')}`)
  return { settled: () => undefined, info: () => undefined, routine: () => undefined, warn: complain, error: complain }
}

function fateOf(admission: Admission, asked: Asked): string {
  switch (admission.kind) {
    case 'guarded': return acceptanceOf(admission.policy, asked.fields) !== null ? `This request has ${admission.key === null ? 'an identity: with a key in its body it' : 'a key and an identity: it'} is stored and answered 202; then it runs once, and its answer is kept.` :  admission.key === null ? 'This request has an identity: with a key in its body it runs once, and its answer is kept.' : 'This request has a key and an identity: it runs once, and its answer is kept.'
    case 'bypass': return admission.route.action.kind === 'pass' ? 'This request passes as it is.' : 'This request passes as it is: it has no key, and here a key is optional.'
    case 'refused': return `This request is refused: ${admission.problem.status} ${admission.problem.code}: ${admission.problem.detail}.`
    default: return admission satisfies never
  }
}

import type { Config } from '../config/config.ts'
import { originsOf, type FieldOrigin } from '../config/origins.ts'
import { firstOf } from '../core/headers.ts'
import { readPath } from '../core/path.ts'
import type { TokenVerifier } from '../core/ports.ts'
import { findRoute, whyNot, type Asked, type Mismatch, type Route } from '../core/route.ts'
import { acceptanceOf } from './acceptance.ts'
import { admit, admitUnder, type Admission } from './admit.ts'

/** What would become of a request, and by which rules; for people and for programs. */
export interface Explanation {
  /** as routes see it */
  readonly path: string
  /** every route up to the one that matches, in order; none where no route was looked for */
  readonly tried: readonly Tried[]
  /** what the matching route does, in a sentence, and the policy by which it does it; null where no route was found */
  readonly treatment: Treatment | null
  /** in a sentence */
  readonly fate: string
  readonly refused: boolean
}

export interface Treatment {
  readonly route: string
  readonly sentence: string
  readonly fields: readonly FieldOrigin[]
}

export interface Tried {
  readonly route: string
  /** null: it matches */
  readonly whyNot: string | null
}

/** Where the routes are from, and what they were written as. */
export type Rules = Pick<Config, 'routes' | 'written'>

/**
 * Which route a request would take, why none before it, what the policy is and who says so. Nothing is sent to the upstream, and a token is
 * verified; what depends on the body or on other requests is not judged.
 */
export async function explained(asked: Asked, rules: Rules, tokens: TokenVerifier): Promise<Explanation> {
  const finding = findRoute(rules.routes, asked)
  const reading = readPath(asked.target)
  const admission = await admit(asked, rules.routes, tokens)
  return {
    path: reading.kind === 'path' ? `/${reading.segments.join('/')}` : asked.target,
    tried: finding.kind === 'route' ? wayTo(finding.route, asked, rules) : [],
    treatment: finding.kind === 'route' ? treatmentOf(finding.route, rules) : null,
    fate: admission.kind === 'bypass' && admission.route.action.kind === 'shadow'
      ? `This request passes as it is, because of mode: shadow. With mode: enforce: ${fateOf(await admitUnder(admission.route.action.policy, admission.route, asked, tokens), asked)}`
      : fateOf(admission, asked),
    refused: admission.kind === 'refused',
  }
}

function wayTo(found: Route, asked: Asked, { routes }: Rules): readonly Tried[] {
  return routes.slice(0, routes.indexOf(found) + 1).map((route) => {
    const mismatch = whyNot(route, asked)
    return { route: route.name, whyNot: mismatch === null ? null : reasonOf(mismatch, route, asked) }
  })
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

export function treatmentOf(route: Route, { routes, written }: Rules): Treatment {
  const { name, action } = route
  const position = routes.indexOf(route)
  const entry = written.routes?.[position]
  if (entry?.pass === true) return { route: name, sentence: `${name} passes everything as it is, because the route says pass: true`, fields: [] }
  const fields = originsOf(written, entry === undefined ? null : position)
  switch (action.kind) {
    case 'pass': {
      const key = fields.find(({ field }) => field === 'idempotency.key')
      const why = `${name} passes everything as it is, ${key?.value === 'ignored' ? `because idempotency.key is ignored (${key.origin})` : 'as the last route behind all others'}`
      if (action.retry === null) return { route: name, sentence: why, fields: [] }
      return { route: name, sentence: `${why}${action.retry.methods.size === 0 ? ', within its deadline' : ', and sends some of it again'}:`, fields: fields.filter(({ field }) => /^(retry|status)\./.test(field)) }
    }
    case 'shadow': return { route: name, sentence: `${name} is in shadow mode: it passes everything as it is, protects nothing, and counts what this policy would have done:`, fields }
    case 'guard': return { route: name, sentence: `${name} guards what carries a key, under this policy:`, fields }
    default: return action satisfies never
  }
}

function fateOf(admission: Admission, asked: Asked): string {
  switch (admission.kind) {
    case 'guarded': return acceptanceOf(admission.policy, asked.fields) !== null ? `This request has ${admission.key === null ? 'an identity: with a key in its body it' : 'a key and an identity: it'} is stored and answered 202; then it runs once, and its answer is kept.` :  admission.key === null ? 'This request has an identity: with a key in its body it runs once, and its answer is kept.' : 'This request has a key and an identity: it runs once, and its answer is kept.'
    case 'bypass': return admission.route.action.kind === 'pass' ? 'This request passes as it is.' : 'This request passes as it is: it has no key, and here a key is optional.'
    case 'refused': return `This request is refused: ${admission.problem.status} ${admission.problem.code}: ${admission.problem.detail}.`
    default: return admission satisfies never
  }
}

import { covers, overlaps } from './route-cover.ts'
import type { Conditions } from './route.ts'

/*
 * What record ids are made of, apart from the secret: the service, and for each route whose identity and which key a
 * request is filed under. A configuration that files the same requests otherwise no longer finds what it filed
 * before: every retry of an old operation would run again. So whoever starts or reloads compares.
 */

export interface KeySpace {
  readonly service: string
  /** all routes in order, since an earlier one takes requests from a later one */
  readonly routes: readonly FilingRoute[]
}

export interface FilingRoute extends Conditions {
  readonly name: string
  /** null for a route that passes and files nothing */
  readonly filing: Filing | null
}

/** How a guarded route files its requests, as texts that are equal if and only if the ids are. */
export interface Filing {
  readonly scope: string
  /** where a key comes from when there is no Idempotency-Key; null for nowhere. With WITHOUT_HEADER in front: where it comes from whatever Idempotency-Key there is. */
  readonly source: string | null
}

export const WITHOUT_HEADER = 'only:'

/**
 * One sentence for each way in which `next` would free keys of `past`; none if every old key is still found.
 *
 * Two routes, an old and a new one, share requests if their conditions overlap and neither the old configuration nor
 * the new one has an earlier route that takes all of one of them. A route that passes files nothing and frees nothing:
 * `pass: true` says in as many words that these requests are not guarded. A key source where there was none frees
 * nothing either, since requests without a key were not filed; unless Idempotency-Key counts for nothing beside it.
 */
export function freedBy(past: KeySpace, next: KeySpace): string[] {
  if (past.service !== next.service) return [`the service was ${past.service} and would be ${next.service}`]
  const freed: string[] = []
  for (const [i, old] of past.routes.entries()) {
    for (const [j, route] of next.routes.entries()) {
      const change = old.filing === null || route.filing === null ? null : changeOf(old.filing, route.filing)
      if (change === null || !overlaps(old, route)) continue
      const taken = (earlier: Conditions): boolean => covers(earlier, old) || covers(earlier, route)
      if (past.routes.slice(0, i).some(taken) || next.routes.slice(0, j).some(taken)) continue
      freed.push(old.name === route.name ? `${route.name} has another ${change}` : `${route.name} takes requests of ${old.name} and has another ${change}`)
    }
  }
  return freed
}

function changeOf(old: Filing, next: Filing): 'scope' | 'key source' | null {
  if (old.scope !== next.scope) return 'scope'
  if (old.source === null && next.source?.startsWith(WITHOUT_HEADER) !== true) return null
  return old.source === next.source ? null : 'key source'
}

const VERSION = 1

/** As the store keeps it. Equal key spaces are equal texts. */
export function keySpaceText({ service, routes }: KeySpace): string {
  return JSON.stringify({ version: VERSION, service, routes: routes.map(({ methods, ...route }) => ({ ...route, methods: methods === null ? null : [...methods].toSorted() })) })
}

/** Null for a text of another version, which this one cannot compare with. */
export function readKeySpace(text: string): KeySpace | null {
  const { version, service, routes }: Written = JSON.parse(text)
  if (version !== VERSION) return null
  return { service, routes: routes.map(({ methods, ...route }) => ({ ...route, methods: methods === null ? null : new Set(methods) })) }
}

interface Written extends Omit<KeySpace, 'routes'> {
  readonly version: number
  readonly routes: readonly (Omit<FilingRoute, 'methods'> & { readonly methods: readonly string[] | null })[]
}

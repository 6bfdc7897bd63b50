import { covers } from '../core/route-cover.ts'
import { shadowedNames, type Route } from '../core/route.ts'

/** One sentence for every route that can never match, because one before it takes all that it would take. */
export function shadowWarnings(routes: readonly Route[]): string[] {
  return routes.flatMap((route, i) => {
    const before = routes.slice(0, i).find((earlier) => covers(earlier, route))
    return before === undefined ? [] : [`the route ${route.name} never matches: ${before.name} stands before it and takes all of its requests`]
  })
}

/** One sentence for every route that has a policy and does not enforce it. */
export function lookingOnWarnings(routes: readonly Route[]): string[] {
  return shadowedNames(routes).map((name) => `the route ${name} says mode: shadow: its requests pass WITHOUT PROTECTION, and keys that were enforced before are not looked at; what would have been done is counted`)
}

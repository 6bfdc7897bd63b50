import type { PathPattern, Route } from '../core/route.ts'

/** One sentence for every route that can never match, because one before it takes all that it would take. */
export function shadowWarnings(routes: readonly Route[]): string[] {
  return routes.flatMap((route, i) => {
    const before = routes.slice(0, i).find((earlier) => covers(earlier, route))
    return before === undefined ? [] : [`the route ${route.name} never matches: ${before.name} stands before it and takes all of its requests`]
  })
}

function covers(earlier: Route, later: Route): boolean {
  const { methods } = earlier
  const everyMethod = methods === null || (later.methods !== null && [...later.methods].every((method) => methods.has(method)))
  return everyMethod && (earlier.host === null || earlier.host === later.host) && coversPath(earlier.path, later.path)
}

function coversPath(earlier: PathPattern, later: PathPattern): boolean {
  for (const [i, expected] of earlier.entries()) {
    if (expected === '*' && i === earlier.length - 1) return true
    const segment = later[i]
    if (segment === undefined || (segment === '*' && i === later.length - 1)) return false
    if (expected !== segment && !expected.startsWith(':')) return false
  }
  return earlier.length === later.length
}

import type { Route } from '../core/route.ts'

/** One sentence for every route on which the promise of one execution ends with the key store. */
export function outageWarnings(routes: readonly Route[]): string[] {
  return routes.filter(({ action }) => action.kind === 'guard' && action.policy.storeOutage === 'open').map(({ name }) => (
    `the route ${name} says store_outage: open: while the key store is gone its requests are sent WITHOUT PROTECTION, and a request that is repeated then may run twice`
  ))
}

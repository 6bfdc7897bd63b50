import type { Clock, Upstream } from '../core/ports.ts'
import { guardedPool, type GuardedDispatch, type PoolOptions } from './connections.ts'
import { Exchange } from './exchange.ts'

/**
 * HTTP/1.1 upstream over an undici Pool. Sends each request once; see exchange.ts for what its ends mean.
 * undici's RetryAgent and interceptors stay unused: only the flow's loop may retry.
 */
export function openHttpUpstream(options: PoolOptions, clock: Clock): Upstream {
  const pool = guardedPool(options)
  return {
    attempt(request, limits) {
      const exchange = new Exchange(request, limits)
      // A request that found no socket in time is told so while it still waits in undici's queue; if a socket turns
      // up later, the exchange refuses it before the first byte.
      exchange.waitForSocket(clock.after(limits.socketWaitMs, () => exchange.noSocket()))
      const dispatch: GuardedDispatch = {
        path: request.target,
        method: request.method,
        headers: request.fields,
        body: request.body.length === 0 ? null : request.body,
        rider: exchange,
      }
      pool.dispatch(dispatch, exchange)
      return exchange
    },
    close: () => pool.destroy(),
  }
}

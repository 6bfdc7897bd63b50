import type { AttemptLimits, Clock, Upstream, UpstreamRequest } from '../core/ports.ts'
import { guardedPool, type GuardedDispatch, type PoolOptions, type Rider } from './connections.ts'
import { Exchange } from './exchange.ts'
import { SwitchingExchange } from './handshake.ts'

/**
 * HTTP/1.1 upstream over an undici Pool. Sends each request once; see exchange.ts for what its ends mean.
 * undici's RetryAgent and interceptors stay unused: only the flow's loop may retry.
 */
export function openHttpUpstream(options: PoolOptions, clock: Clock): Upstream {
  const pool = guardedPool(options)
  return {
    attempt(request, limits) {
      const exchange = begin(request, limits)
      pool.dispatch(dispatchOf(request, exchange), exchange)
      return exchange
    },
    handshake(request, protocol, limits) {
      const exchange = new SwitchingExchange(begin(request, limits))
      pool.dispatch({ ...dispatchOf(request, exchange), upgrade: protocol }, exchange)
      return exchange
    },
    use() {
      const { connected, free, pending, queued } = pool.stats
      return { busy: connected - free, idle: free, waiting: pending + queued }
    },
    close: () => pool.destroy(),
  }

  function begin(request: UpstreamRequest, limits: AttemptLimits): Exchange {
    const exchange = new Exchange(request, limits)
    // A request that found no socket in time is told so while it still waits in undici's queue; if a socket turns
    // up later, the exchange refuses it before the first byte.
    exchange.waitForSocket(clock.after(limits.socketWaitMs, () => exchange.noSocket()))
    return exchange
  }
}

function dispatchOf(request: UpstreamRequest, rider: Rider): GuardedDispatch {
  const { target: path, method, fields: headers, body } = request
  return { path, method, headers, body: body instanceof Uint8Array && body.length === 0 ? null : body, rider }
}

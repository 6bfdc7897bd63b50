import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import httpProxy from '@fastify/http-proxy'
import { fastify, type FastifyInstance, type FastifyServerFactory } from 'fastify'
import { HOP_BY_HOP } from '../core/headers.ts'
import { problem, type Problem } from '../core/problem.ts'
import { writeProblem } from './write-reply.ts'

export interface PassThroughOptions {
  readonly origin: string
  readonly connections: number
  readonly connectTimeoutMs: number
}

/**
 * Everything that carries no key: streamed both ways by @fastify/http-proxy. Its retries are off, because by default
 * it repeats a GET that was answered 503 ten times behind our back; and where it would answer 500 for an upstream
 * that failed, a gateway owes 502 or 504 (RFC 9110 section 15.6.3).
 */
export function passThrough(options: PassThroughOptions, draining: () => boolean, serverFactory: FastifyServerFactory, clientErrorHandler: (error: Error, socket: Socket) => void): FastifyInstance {
  const app = fastify({ serverFactory, clientErrorHandler, logger: false, exposeHeadRoutes: false, forceCloseConnections: 'idle' })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (draining()) reply.header('connection', 'close')
    done()
  })
  app.register(httpProxy, {
    upstream: options.origin,
    undici: { connections: options.connections, pipelining: 1, connect: { timeout: options.connectTimeoutMs }, headersTimeout: 0, bodyTimeout: 0 },
    retryMethods: [],
    disableRequestLogging: true,
    replyOptions: {
      rewriteRequestHeaders: (request, headers) => {
        const { expect: _, ...kept } = headers
        const via = kept['via']
        return { ...kept, host: request.headers.host ?? '', via: via === undefined ? '1.1 onceward' : `${via}, 1.1 onceward` }
      },
      rewriteHeaders: (headers) => {
        const gone = new Set([...HOP_BY_HOP, ...(headers['connection'] ?? '').toLowerCase().split(/\s*,\s*/)])
        return Object.fromEntries(Object.entries(headers).filter(([name]) => !gone.has(name)))
      },
      onError: (reply, { error }) => {
        reply.hijack()
        if (reply.raw instanceof ServerResponse && !reply.raw.headersSent) writeProblem(reply.raw, failure(error))
        else reply.raw.destroy()
      },
    },
  })
  return app
}

/** reply-from wraps what happened; the code beneath tells whether anybody was there. */
function failure(error: Error): Problem {
  const cause: unknown = error.cause
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : ''
  if (['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code)) {
    return problem('upstream-unreachable', 'no connection to the upstream could be made', { retryAfterMs: 1000 })
  }
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'UND_ERR_HEADERS_TIMEOUT') return problem('upstream-timeout', 'the upstream did not answer in time')
  return problem('upstream-failed', 'the connection to the upstream broke before an answer came')
}

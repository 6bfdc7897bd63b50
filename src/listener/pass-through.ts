import { ServerResponse } from 'node:http'
import httpProxy from '@fastify/http-proxy'
import { fastify, type FastifyInstance, type FastifyServerFactory } from 'fastify'
import { forwardedFields } from '../core/forwarding.ts'
import { HOP_BY_HOP, type Fields } from '../core/headers.ts'
import { problem, type Problem, type Voice } from '../core/problem.ts'
import type { Call } from '../request/call.ts'
import type { Unreadable } from './unreadable.ts'
import { writeProblem } from './write-reply.ts'

export interface PassThroughOptions {
  readonly origin: string
  readonly connections: number
  readonly connectTimeoutMs: number
}

/** A request on its way through, and the name of its route. */
export interface Passing {
  readonly call: Call
  readonly route: string
}

export interface PassThroughContext extends PassThroughOptions {
  readonly draining: () => boolean
  readonly callOf: (request: object) => Passing | undefined
  readonly voiceFor: (call: Call, route: string) => Voice
  readonly unreadable: Unreadable
}

/**
 * Everything that carries no key: streamed both ways by @fastify/http-proxy. Its retries are off, because by default
 * it repeats a GET that was answered 503 ten times behind our back; and where it would answer 500 for an upstream
 * that failed, a gateway owes 502 or 504 (RFC 9110 section 15.6.3).
 */
export function passThrough(options: PassThroughContext, serverFactory: FastifyServerFactory): FastifyInstance {
  const app = fastify({ serverFactory, clientErrorHandler: (error, socket) => options.unreadable.answer(error, socket), logger: false, exposeHeadRoutes: false, forceCloseConnections: 'idle' })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (options.draining()) reply.header('connection', 'close')
    done()
  })
  app.register(httpProxy, {
    upstream: options.origin,
    undici: { connections: options.connections, pipelining: 1, connect: { timeout: options.connectTimeoutMs }, headersTimeout: 0, bodyTimeout: 0 },
    retryMethods: [],
    disableRequestLogging: true,
    replyOptions: {
      rewriteRequestHeaders: (request, headers) => {
        const passing = options.callOf(request.raw)
        if (passing === undefined) return headers
        const length = headers['content-length']
        return { ...byName(forwardedFields(passing.call.fields, passing.call.hop)), ...(length === undefined ? {} : { 'content-length': length }) }
      },
      rewriteHeaders: (headers) => {
        const gone = new Set([...HOP_BY_HOP, ...(headers['connection'] ?? '').toLowerCase().split(/\s*,\s*/)])
        return Object.fromEntries(Object.entries(headers).filter(([name]) => !gone.has(name)))
      },
      onError: (reply, { error }) => {
        reply.hijack()
        const passing = options.callOf(reply.request.raw)
        if (passing !== undefined && reply.raw instanceof ServerResponse && !reply.raw.headersSent) writeProblem(reply.raw, failure(error), options.voiceFor(passing.call, passing.route))
        else reply.raw.destroy()
      },
    },
  })
  return app
}

/** The shape that reply-from hands to undici; lines of one name keep their order. */
function byName(fields: Fields): Record<string, string | string[]> {
  const named: Record<string, string | string[]> = Object.create(null)
  for (let i = 0; i < fields.length; i += 2) {
    const name = (fields[i] ?? '').toLowerCase()
    const value = fields[i + 1] ?? ''
    const before = named[name]
    named[name] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value]
  }
  return named
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

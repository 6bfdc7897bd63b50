import type { ServerResponse } from 'node:http'
import type { StreamedBody } from '../core/attempt.ts'
import { without } from '../core/headers.ts'
import { problemBody, PROBLEMS, type Problem, type ProblemCode } from '../core/problem.ts'
import { hasNoContent, type Reply } from '../core/reply.ts'
import type { Answer } from '../request/call.ts'
import { bodyIsLeft, endOnceRead } from './refused-body.ts'

const LENGTH: ReadonlySet<string> = new Set(['content-length'])

/** The deployment's name in Proxy-Status (RFC 9209 section 2). */
const PROXY = 'onceward'

/** What is left of a refused body would have to be read to its end before the connection could be used again. */
const ENDS_CONNECTION: ReadonlySet<ProblemCode> = new Set(['body-too-large', 'overloaded', 'request-timeout'])

/** Writes an answer and ends the response. A promise only where there is something to wait for: a streaming reply. */
export function writeAnswer(response: ServerResponse, method: string, answer: Answer): Promise<void> | null {
  switch (answer.kind) {
    case 'none':
      response.destroy()
      return null
    case 'problem':
      writeProblem(response, answer.problem)
      return null
    case 'replay':
      writeWhole(response, method, answer.reply, ['Idempotent-Replayed', 'true', 'Idempotency-TTL', seconds(answer.ttlMs)])
      return null
    case 'fresh': {
      const marks = answer.ttlMs === null ? [] : ['Idempotency-TTL', seconds(answer.ttlMs)]
      if (answer.reply.kind === 'streaming') return writeStreaming(response, answer.reply.status, [...answer.reply.headers, ...marks], answer.reply.body)
      writeWhole(response, method, answer.reply.reply, marks)
      return null
    }
    default:
      return answer satisfies never
  }
}

export function writeProblem(response: ServerResponse, problem: Problem): void {
  const body = Buffer.from(problemBody(problem))
  const fields = [
    'Content-Type', 'application/problem+json',
    'Content-Language', 'en',
    'Cache-Control', 'no-store',
    'Content-Length', String(body.length),
    'Proxy-Status', `${PROXY}; error=${PROBLEMS[problem.code].proxyError}; details="${problem.code}"`,
  ]
  if (problem.retryAfterMs !== null) fields.push('Retry-After', String(Math.max(1, Math.ceil(problem.retryAfterMs / 1000))))
  const unread = ENDS_CONNECTION.has(problem.code) && bodyIsLeft(response)
  if (unread) response.shouldKeepAlive = false
  response.writeHead(problem.status, fields)
  if (unread) endOnceRead(response, body)
  else response.end(body)
}

function writeWhole(response: ServerResponse, method: string, reply: Reply, marks: readonly string[]): void {
  if (hasNoContent(method, reply.status)) {
    response.writeHead(reply.status, [...reply.headers, ...marks])
    response.end()
    return
  }
  response.writeHead(reply.status, [...without(reply.headers, LENGTH), ...marks, 'Content-Length', String(reply.body.length)])
  endWith(response, reply.body)
}

/** A small body goes out as one string with the head, byte for byte (latin1), in one system call instead of a gathered one. */
const SMALL_BYTES = 16 * 1024

function endWith(response: ServerResponse, body: Uint8Array): void {
  if (body.length <= SMALL_BYTES) response.end(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1'), 'latin1')
  else response.end(body)
}

/** A reply that breaks off upstream breaks off here: ending it cleanly would make half a reply look whole. */
async function writeStreaming(response: ServerResponse, status: number, headers: string[], body: StreamedBody): Promise<void> {
  const stop = (): void => body.cancel()
  response.on('close', stop)
  try {
    response.writeHead(status, headers)
    response.flushHeaders()
    for await (const chunk of body) {
      if (response.destroyed) break
      if (!response.write(chunk)) await drained(response)
    }
    response.end()
  } catch {
    response.destroy()
  } finally {
    response.off('close', stop)
    body.cancel()
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}

function seconds(ms: number): string {
  return String(Math.max(0, Math.floor(ms / 1000)))
}

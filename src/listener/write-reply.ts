import { validateHeaderName, validateHeaderValue, type ServerResponse } from 'node:http'
import type { StreamedBody } from '../core/attempt.ts'
import { HOP_BY_HOP, without, type Fields } from '../core/headers.ts'
import { OPERATIONS_PATH } from '../core/operations.ts'
import { problem, problemMessage, type Problem, type ProblemCode, type Voice } from '../core/problem.ts'
import { hasNoContent, type Reply } from '../core/reply.ts'
import { GAVE_UP, type GaveUp } from '../core/retry.ts'
import type { Answer } from '../request/call.ts'
import { bodyIsLeft, endOnceRead } from './refused-body.ts'

/** What of a request decides how its answer is written. */
export interface Asked {
  readonly method: string
  /** HTTP/1.1, and `TE: trailers`; from anybody else trailers are dropped (RFC 9110 section 6.5.1) */
  readonly takesTrailers: boolean
  readonly voice: Voice
}

/** Framing is written anew; a stored row that has hop-by-hop fields was tampered with, and they must not frame anything. */
const FRAMING: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'content-length'])

/** Writes an answer and ends the response. A promise only where there is something to wait for: a streaming reply. */
export function writeAnswer(response: ServerResponse, asked: Asked, answer: Answer): Promise<void> | null {
  switch (answer.kind) {
    case 'none':
      response.destroy()
      return null
    case 'accepted':
      writeOwn(response, 202, acceptedText(answer.operationRef), [
        'Location', `${OPERATIONS_PATH}${answer.operationRef}`, 'Retry-After', seconds(answer.retryAfterMs), ...preferencesApplied(answer.applied), ...asked.voice.cors,
      ])
      return null
    case 'problem':
      writeProblem(response, answer.problem, asked.voice)
      return null
    case 'replay':
      writeWhole(response, asked, answer.reply, ['Idempotent-Replayed', 'true', 'Idempotency-TTL', seconds(answer.ttlMs)])
      return null
    case 'fresh': {
      const status = answer.reply.kind === 'whole' ? answer.reply.reply.status : answer.reply.status
      // A reply that settled nothing looks like an answer; this says that it is only what the upstream said.
      const marks = answer.ttlMs === null ? passedOn(asked.voice, status, answer.gaveUp) : ['Idempotency-TTL', seconds(answer.ttlMs)]
      if (answer.reply.kind === 'streaming') return writeStreaming(response, asked, status, [...answer.reply.headers, ...marks], answer.reply.body)
      writeWhole(response, asked, answer.reply.reply, marks)
      return null
    }
    case 'unprotected': {
      const status = answer.reply.kind === 'whole' ? answer.reply.reply.status : answer.reply.status
      const marks = ['Idempotency-Unprotected', 'true', 'Proxy-Status', `${asked.voice.proxy}; received-status=${status}`]
      if (answer.reply.kind === 'streaming') return writeStreaming(response, asked, status, [...answer.reply.headers, ...marks], answer.reply.body)
      writeWhole(response, asked, answer.reply.reply, marks)
      return null
    }
    default:
      return answer satisfies never
  }
}

/** RFC 7240 section 3: what was heard, if anything was asked. */
export function preferencesApplied(applied: readonly string[]): Fields {
  return applied.length === 0 ? [] : ['Preference-Applied', applied.join(', ')]
}

function acceptedText(operationRef: string): string {
  return JSON.stringify({ operation: operationRef, status: 'accepted' })
}

/** A text of our own that is no problem. */
export function writeOwn(response: ServerResponse, status: number, json: string, fields: Fields): void {
  const body = Buffer.from(json)
  response.writeHead(status, ['Content-Type', 'application/json', 'Cache-Control', 'no-store', 'Content-Length', String(body.length), ...fields])
  response.end(body)
}

/** The reply of an upstream that is no answer, and why it was not asked again (RFC 9209 section 2.1.5: for people). */
export function passedOn(voice: Voice, status: number, gaveUp: GaveUp | null): Fields {
  return ['Proxy-Status', `${voice.proxy}; received-status=${status}${gaveUp === null ? '' : `; details="${GAVE_UP[gaveUp]}"`}`]
}

/** What is left of a refused body would have to be read to its end before the connection could be used again. */
const ENDS_CONNECTION: ReadonlySet<ProblemCode> = new Set(['body-too-large', 'overloaded', 'request-timeout'])

export function writeProblem(response: ServerResponse, about: Problem, voice: Voice): void {
  const { fields, body } = problemMessage(about, voice)
  const unread = ENDS_CONNECTION.has(about.code) && bodyIsLeft(response)
  if (unread) response.shouldKeepAlive = false
  response.writeHead(about.status, fields)
  if (unread) endOnceRead(response, body)
  else response.end(body)
}

function writeWhole(response: ServerResponse, asked: Asked, reply: Reply, marks: Fields): void {
  const chunked = asked.takesTrailers && reply.trailers.length > 0 && !hasNoContent(asked.method, reply.status)
  try {
    if (chunked) areValid(reply.trailers)
    response.writeHead(reply.status, head(asked.method, reply, marks, chunked))
  } catch {
    // node refuses what would split the message: CR, LF or NUL in a value, no token for a name, no such status.
    writeProblem(response, problem('reply-damaged', `the operation completed with status ${reply.status}; what is stored of its reply cannot be sent`), asked.voice)
    return
  }
  if (hasNoContent(asked.method, reply.status)) {
    response.end()
  } else if (chunked) {
    response.write(reply.body)
    response.addTrailers(pairs(reply.trailers))
    response.end()
  } else {
    endWith(response, reply.body)
  }
}

/** End-to-end fields in their order, our marks, and the framing that follows from the body we hold, never from what was said of it. */
function head(method: string, reply: Reply, marks: Fields, chunked: boolean): string[] {
  if (!hasNoContent(method, reply.status)) {
    return [...without(reply.headers, FRAMING), ...marks, ...(chunked ? announced(reply.trailers) : ['Content-Length', String(reply.body.length)])]
  }
  // RFC 9110 section 8.6: never with 204; with HEAD and 304 it speaks of the content that a GET would have got.
  return [...without(reply.headers, reply.status === 204 ? FRAMING : HOP_BY_HOP), ...marks]
}

function announced(trailers: Fields): string[] {
  return ['Transfer-Encoding', 'chunked', 'Trailer', [...new Set(trailers.filter((_, i) => i % 2 === 0))].join(', ')]
}

function areValid(fields: Fields): void {
  for (const [name, value] of pairs(fields)) {
    validateHeaderName(name)
    validateHeaderValue(name, value)
  }
}

function pairs(fields: Fields): [string, string][] {
  const list: [string, string][] = []
  for (let i = 0; i < fields.length; i += 2) list.push([fields[i] ?? '', fields[i + 1] ?? ''])
  return list
}

/** A small body goes out as one string with the head, byte for byte (latin1), in one system call instead of a gathered one. */
const SMALL_BYTES = 16 * 1024

function endWith(response: ServerResponse, body: Uint8Array): void {
  if (body.length <= SMALL_BYTES) response.end(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1'), 'latin1')
  else response.end(body)
}

async function writeStreaming(response: ServerResponse, asked: Asked, status: number, headers: string[], body: StreamedBody): Promise<void> {
  try {
    response.writeHead(status, headers)
  } catch {
    body.cancel()
    response.destroy()
    return
  }
  await pour(response, body, asked.takesTrailers)
}

/** How a streaming reply ended: all of it was written, the upstream broke off, or the client left. */
export type Poured = 'whole' | 'broken-off' | 'unheard'

/**
 * The body behind a head that is written, as fast as the client reads. A reply that breaks off upstream breaks off
 * here: ending it cleanly would make half a reply look whole.
 */
export async function pour(response: ServerResponse, body: StreamedBody, takesTrailers: boolean): Promise<Poured> {
  const stop = (): void => body.cancel()
  response.on('close', stop)
  try {
    if (!body.ready()) response.flushHeaders() // else it leaves with what is there, in one system call
    for await (const chunk of body) {
      if (response.destroyed) return 'unheard'
      if (!response.write(chunk)) await drained(response)
    }
    if (response.destroyed) return 'unheard'
    if (takesTrailers && response.chunkedEncoding) response.addTrailers(pairs(body.trailers))
    response.end()
    return 'whole'
  } catch {
    if (response.destroyed) return 'unheard'
    response.socket?.uncork() // what was written in this turn leaves, so that the client sees where it broke off
    response.destroy()
    return 'broken-off'
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

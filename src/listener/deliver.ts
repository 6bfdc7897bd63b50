import type { IncomingMessage, ServerResponse } from 'node:http'
import type { UpstreamReply } from '../core/attempt.ts'
import type { Clock } from '../core/ports.ts'
import { problem } from '../core/problem.ts'
import type { GaveUp } from '../core/retry.ts'
import type { PassedOn } from '../request/pass-on.ts'
import { lingerAfter } from './refused-body.ts'
import { passedOn, pour, writeProblem, type Asked } from './write-reply.ts'

/** What a client that left before its answer would have got; nobody receives it, but it counts as 4xx. */
const CLIENT_LEFT = 499

/**
 * Writes the answer to a request that was passed on; resolves at its end with the status that counts for it. A reply
 * that the upstream broke off counts as 502, whatever it began with; one that the client broke off as what it is.
 */
export async function deliver(request: IncomingMessage, response: ServerResponse, asked: Asked, answer: PassedOn, clock: Clock): Promise<number> {
  if (!request.complete) lingerAfter(request, response, clock)
  switch (answer.kind) {
    case 'none':
      response.destroy()
      return CLIENT_LEFT
    case 'problem':
      writeProblem(response, answer.problem, asked.voice)
      return answer.problem.status
    case 'fresh':
      return deliverReply(response, asked, answer.reply, answer.gaveUp)
    default:
      return answer satisfies never
  }
}

async function deliverReply(response: ServerResponse, asked: Asked, reply: UpstreamReply, gaveUp: GaveUp | null): Promise<number> {
  const { status, headers } = reply.kind === 'whole' ? reply.reply : reply
  try {
    response.writeHead(status, gaveUp === null ? [...headers] : [...headers, ...passedOn(asked.voice, status, gaveUp)])
  } catch {
    // node refuses what would split the message: a control character that the upstream's parser let through.
    if (reply.kind === 'streaming') reply.body.cancel()
    const refused = problem('upstream-failed', 'the answer of the upstream cannot be passed on')
    writeProblem(response, refused, asked.voice)
    return refused.status
  }
  if (reply.kind === 'whole') {
    response.end() // HEAD, 204 and 304: everything else streams
    return status
  }
  return await pour(response, reply.body, asked.takesTrailers) === 'broken-off' ? 502 : status
}

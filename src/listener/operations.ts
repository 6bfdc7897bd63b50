import { isUtf8 } from 'node:buffer'
import type { ServerResponse } from 'node:http'
import { corsFields } from '../core/cors.ts'
import { takesTrailers } from '../core/headers.ts'
import { OPERATIONS_PATH } from '../core/operations.ts'
import { problem, type Problem, type Voice } from '../core/problem.ts'
import type { StoredReply } from '../core/reply.ts'
import { replyOfOperation } from '../request/answer.ts'
import { lookUp, type LookupDependencies, type Operation } from '../request/lookup.ts'
import type { HttpCall } from './http-call.ts'
import { preferencesApplied, writeAnswer, writeOwn, writeProblem } from './write-reply.ts'

/** What a path below /_onceward/operations/ means; `reply` is the stored reply itself. */
export interface OperationTarget {
  readonly operationRef: string
  readonly what: 'state' | 'reply'
}

const TARGET = /^([A-Za-z0-9_-]{1,64})(\/reply)?$/

/** Null for every other target, which is a matter of routes. Only the plain form of the path means an operation. */
export function operationTarget(target: string): OperationTarget | null {
  if (!target.startsWith(OPERATIONS_PATH)) return null
  const [path = ''] = target.slice(OPERATIONS_PATH.length).split('?', 1)
  const [, operationRef, reply] = TARGET.exec(path) ?? []
  return operationRef === undefined ? null : { operationRef, what: reply === undefined ? 'state' : 'reply' }
}

/** The same for what is not there and for what is somebody else's. */
const NOT_THERE = problem('not-found', 'there is no such operation, or it is somebody else\'s')

/** How long somebody who did not wait should stay away. */
const ASK_AGAIN_MS = 1000

/** Answers a question about an operation; `beforeHead` is called when nothing is left to be waited for. Never rejects for what a client, the store or an issuer does. */
export async function answerOperation({ operationRef, what }: OperationTarget, call: HttpCall, response: ServerResponse, voice: Voice, beforeHead: () => void, deps: LookupDependencies): Promise<void> {
  if (call.method !== 'GET' && call.method !== 'HEAD') return writeProblem(response, problem('method-not-allowed', 'an operation is looked at with GET or HEAD'), voice)
  const found = await lookUp(operationRef, call.fields, () => call.gone(), deps)
  beforeHead()
  if (call.gone()) {
    response.destroy()
    return
  }
  switch (found.kind) {
    case 'none': return writeProblem(response, NOT_THERE, voice)
    case 'unavailable': return writeProblem(response, unavailable(found.what, found.retryAfterMs), voice)
    case 'operation': break
    default: return found satisfies never
  }
  const { operation, waitedMs } = found
  const own = { ...voice, cors: corsFields(operation.route.cors, call.fields) }
  const applied = preferencesApplied(waitedMs === null ? [] : [`wait=${Math.ceil(waitedMs / 1000)}`])
  if (what === 'state') return writeOwn(response, 200, stateOf(operation), [...(isOver(operation) ? [] : ['Retry-After', String(ASK_AGAIN_MS / 1000)]), ...applied, ...own.cors])
  await writeAnswer(response, { method: call.method, takesTrailers: call.hop.httpVersion === '1.1' && takesTrailers(call.fields), voice: own }, replyOfOperation(operation, deps.clock.wallMs()))
}

function unavailable(what: 'store' | 'identity', retryAfterMs: number): Problem {
  return what === 'store'
    ? problem('store-unavailable', 'what became of the operation cannot be looked up at the moment', { retryAfterMs })
    : problem('identity-unavailable', 'the keys that sign such tokens could not be read', { retryAfterMs })
}

function isOver({ status }: Operation): boolean {
  return status === 'completed' || status === 'dead'
}

function stateOf({ record, status, acceptedAt, cause }: Operation): string {
  return JSON.stringify({
    operation: record.operationRef, status, accepted_at: timeText(acceptedAt),
    ...(record.state === 'completed' ? { completed_at: timeText(record.completedAt), kept_until: timeText(record.retainUntil), reply: replyOf(record.reply) } : {}),
    ...(record.state === 'uncertain' ? { uncertain_since: timeText(record.since) } : {}),
    ...(cause === null ? {} : { cause }),
  })
}

/** Fields as pairs, since a name may stand twice. A text is shown as one, whatever else in base64. */
function replyOf(stored: StoredReply): object {
  if (stored.kind === 'not-kept') return { status: stored.status, kept: false }
  const { status, headers, body } = stored.reply
  const pairs = headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1]]] : []))
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return { status, headers: pairs, ...(isUtf8(bytes) ? { body: bytes.toString('utf8') } : { body_base64: bytes.toString('base64') }) }
}

function timeText(ms: number): string {
  return new Date(ms).toISOString()
}

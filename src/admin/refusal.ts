import type { FastifyInstance, FastifyReply } from 'fastify'
import { Declined } from '../core/declined.ts'
import { StoreUnavailable, type Journal } from '../core/ports.ts'
import { AdminProblem, ADMIN_PROBLEMS, problemBody, PROBLEM_TYPE, type AdminProblemCode } from './problems.ts'

/** By fastify's statuses. */
const BY_STATUS: Readonly<Record<number, AdminProblemCode>> = { 400: 'request-invalid', 413: 'body-too-large', 415: 'media-type' }

/** From now on whatever stands in a request's way is answered as a problem. */
export function refuseByProblems(app: FastifyInstance, journal: Pick<Journal, 'error'>): void {
  app.setErrorHandler((error, _request, reply) => refuse(reply, problemOf(error, journal)))
  app.setNotFoundHandler((request, reply) => {
    const methods = (['GET', 'POST'] as const).filter((method) => method !== request.method && app.findRoute({ url: request.url.split('?', 1)[0] ?? '', method }) !== null)
    return refuse(reply, methods.length === 0 ? new AdminProblem('not-found', 'no resource has this path') : new AdminProblem('method-not-allowed', `it takes ${methods.join(' and ')}`))
  })
}

function refuse(reply: FastifyReply, problem: AdminProblem): FastifyReply {
  const { status } = ADMIN_PROBLEMS[problem.code]
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="onceward"')
  // of a text fastify would say its charset, which JSON has none of
  return reply.code(status).header('content-type', PROBLEM_TYPE).send(Buffer.from(JSON.stringify(problemBody(problem))))
}

function problemOf(error: unknown, journal: Pick<Journal, 'error'>): AdminProblem {
  if (error instanceof AdminProblem) return error
  if (error instanceof Declined) return new AdminProblem('declined', error.message)
  if (error instanceof StoreUnavailable) {
    return new AdminProblem('store-unavailable', error.written === 'unknown' ? 'nobody knows whether it was changed: the audit trail shows what was' : 'nothing was changed')
  }
  const { statusCode, message } = statusOf(error)
  const code = BY_STATUS[statusCode]
  if (code !== undefined) return new AdminProblem(code, message)
  journal.error('admin.failed', { error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
  return new AdminProblem('failed', 'nothing more is known here')
}

/** What fastify found wrong with a request names the field and what is expected of it, and never the value. */
function statusOf(error: unknown): { readonly statusCode: number, readonly message: string } {
  const statusCode = error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500
  if (error instanceof Error && 'validation' in error) return { statusCode, message: error.message }
  return { statusCode, message: 'it cannot be read' }
}

import { fastify, type FastifyInstance } from 'fastify'
import { parseLoopback } from '../config/addresses.ts'

export interface AdminOptions {
  /** text in the format that this Accept field asks for, and its content type */
  readonly metrics: (accept: string | undefined) => Promise<{ readonly type: string, readonly text: string }>
  /** why this process should get no new requests now; empty when it should */
  readonly notReady: () => Promise<readonly string[]>
}

/** The listener for operators: metrics and health. It answers on a loopback address only (config/schema.ts says so). */
export function adminListener(options: AdminOptions): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true })
  // A page from elsewhere may have its own name resolved to this address (DNS rebinding) and then read what we answer.
  app.addHook('onRequest', (request, reply, done) => {
    if (isOurs(request.headers.host)) done()
    else reply.code(421).send({ error: 'this listener answers to localhost and to loopback addresses' })
  })
  app.get('/metrics', async (request, reply) => {
    const { type, text } = await options.metrics(request.headers.accept)
    return await reply.header('content-type', type).header('vary', 'accept').send(text)
  })
  app.get('/healthz', async () => ({ status: 'alive' }))
  app.get('/readyz', async (_request, reply) => {
    const reasons = await options.notReady()
    return await reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons })
  })
  return app
}

/** True for a Host that names a loopback address, with a port or without, and for none: every browser sends one. */
function isOurs(host: string | undefined): boolean {
  if (host === undefined) return true
  return parseLoopback(host) !== undefined || parseLoopback(`${host}:0`) !== undefined
}

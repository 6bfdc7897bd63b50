import { fastify, type FastifyInstance } from 'fastify'

export interface AdminOptions {
  /** Prometheus text and its content type */
  readonly metrics: () => Promise<{ readonly type: string, readonly text: string }>
  /** why this process should get no new requests now; empty when it should */
  readonly notReady: () => Promise<readonly string[]>
}

/** The listener for operators: metrics and health. It answers on a loopback address only (config/schema.ts says so). */
export function adminListener(options: AdminOptions): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true })
  app.get('/metrics', async (_request, reply) => {
    const { type, text } = await options.metrics()
    return await reply.header('content-type', type).send(text)
  })
  app.get('/healthz', async () => ({ status: 'alive' }))
  app.get('/readyz', async (_request, reply) => {
    const reasons = await options.notReady()
    return await reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons })
  })
  return app
}

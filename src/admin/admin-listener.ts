import { fastify, type FastifyInstance } from 'fastify'
import type { Journal } from '../core/ports.ts'
import type { Resource } from './api/resource.ts'
import { Operators, type OperatorsOptions } from './operators.ts'
import { refuseByProblems } from './refusal.ts'

export interface AdminOptions {
  /** text in the format that this Accept field asks for, and its content type */
  readonly metrics: (accept: string | undefined) => Promise<{ readonly type: string, readonly text: string }>
  /** why this process should get no new requests now; empty when it should */
  readonly notReady: () => Promise<readonly string[]>
  readonly operators: OperatorsOptions
  readonly resources: readonly Resource[]
  readonly version: string
  readonly journal: Pick<Journal, 'error'>
}

/** The listener for operators: metrics and health for everybody who reaches it, and the API for those who may. */
export function adminListener({ metrics, notReady, operators: operatorsOptions, resources, version, journal }: AdminOptions): FastifyInstance {
  const operators = new Operators(operatorsOptions)
  const app = fastify({ logger: false, forceCloseConnections: true })
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
    operators.checkHost(request.headers)
    done()
  })
  refuseByProblems(app, journal)
  app.get('/metrics', async (request, reply) => {
    const { type, text } = await metrics(request.headers.accept)
    return await reply.header('content-type', type).header('vary', 'accept').send(text)
  })
  app.get('/healthz', async () => ({ status: 'alive' }))
  app.get('/readyz', async (_request, reply) => {
    const reasons = await notReady()
    return await reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons })
  })
  // Its checks and forms take 12 MB, which a process that nobody asks can do without.
  let api: Promise<FastifyInstance> | null = null
  app.all('/api/*', {
    onRequest: (request, reply) => {
      reply.hijack()
      api ??= import('./api/serve-api.ts').then(({ openApiServer }) => openApiServer({ resources, operators, version, journal }))
      void api.then((server) => server.routing(request.raw, reply.raw)).catch((error: unknown) => {
        journal.error('admin.failed', { error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
        reply.raw.destroy()
      })
    },
    handler: () => undefined,
  })
  app.addHook('onClose', async () => (await api)?.close())
  return app
}

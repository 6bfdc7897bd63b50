import { Ajv } from 'ajv'
import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify'
import { isRecord } from '../../config/document.ts'
import type { Journal } from '../../core/ports.ts'
import type { Operators } from '../operators.ts'
import { refuseByProblems } from '../refusal.ts'
import { BASE, openApi } from './openapi.ts'
import { objectOf, type Asked, type Resource, type Schema } from './resource.ts'

export interface ApiOptions {
  readonly resources: readonly Resource[]
  readonly operators: Operators
  readonly version: string
  readonly journal: Pick<Journal, 'error'>
}

/** The largest reply that an operator may put in by hand, in base64, and its words. */
const MOST_BODY_BYTES = 2 * 1024 * 1024

/** Serves the resources below /api/v1, and their document, to requests of a listener. Everything is checked before a resource is asked: origin, operator, form. */
export async function openApiServer({ resources, operators, version, journal }: ApiOptions): Promise<FastifyInstance> {
  const app = fastify({ logger: false, bodyLimit: MOST_BODY_BYTES })
  // A field that nobody knows is a mistake. What stands in an address is text; in a body a number is a number.
  const validators = { address: new Ajv({ useDefaults: true, coerceTypes: true }), body: new Ajv({ useDefaults: true }) }
  app.setValidatorCompiler<Schema>(({ schema, httpPart }) => validators[httpPart === 'body' ? 'body' : 'address'].compile(schema))
  app.removeContentTypeParser('text/plain') // a form on any page may send it
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
    done()
  })
  refuseByProblems(app, journal)
  const document = openApi(resources, version)
  app.get(`${BASE}/openapi.json`, { onRequest: guard }, () => Promise.resolve(document))
  for (const { method, path, params = {}, query = {}, body, answer, handle } of resources) {
    app.route({
      method, url: `${BASE}${path.replaceAll(/\{(\w+)\}/g, ':$1')}`, onRequest: guard,
      schema: { params: objectOf(params), querystring: objectOf(query, []), ...(body === undefined ? {} : { body }), response: { 200: answer } },
      handler: (request) => handle(askedBy(request, operators)),
    })
  }
  await app.ready()
  return app

  function guard(request: FastifyRequest, _reply: unknown, done: () => void): void {
    operators.checkOrigin(request.headers)
    operators.authenticate(request.headers)
    done()
  }
}

function askedBy({ params, query, body, headers }: FastifyRequest, operators: Operators): Asked {
  const given = groupOf(body)
  const { reason } = given
  return { params: textsOf(params), query: groupOf(query), body: given, act: { by: operators.authenticate(headers), reason: typeof reason === 'string' ? reason.trim() : '' } }
}

function groupOf(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {}
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(groupOf(value)).map(([name, text]) => [name, String(text)]))
}

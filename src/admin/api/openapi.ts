import { ADMIN_PROBLEMS, PROBLEM_TYPE } from '../problems.ts'
import type { Resource, Schema } from './resource.ts'
import { PROBLEM } from './shapes.ts'

/** Where the API is served. */
export const BASE = '/api/v1'

/** The document of these resources, by OpenAPI 3.1. */
export function openApi(resources: readonly Resource[], version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const resource of resources) (paths[resource.path] ??= {})[resource.method.toLowerCase()] = operationOf(resource)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Onceward, for operators', version,
      description: 'Looks at keys and dead letters and changes them. Every change is audited with who made it and why. Keys, credentials and bodies are never shown.',
    },
    servers: [{ url: BASE }],
    security: [{ token: [] }, {}],
    paths,
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'A token of admin.tokens. Without any in the configuration none is needed.' } }, schemas: { Problem: PROBLEM } },
  }
}

function operationOf({ id, summary, params = {}, query = {}, body, answer }: Resource): object {
  const parameter = (place: 'path' | 'query') => ([name, schema]: [string, Schema]): object => ({ name, in: place, required: place === 'path', schema })
  return {
    operationId: id, summary,
    parameters: [...Object.entries(params).map(parameter('path')), ...Object.entries(query).map(parameter('query'))],
    ...(body === undefined ? {} : { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: {
      200: { description: 'Done.', content: { 'application/json': { schema: answer } } },
      default: { description: `What stands in the way: ${Object.keys(ADMIN_PROBLEMS).join(', ')}.`, content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } } },
    },
  }
}

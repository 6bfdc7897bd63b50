import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import type { Test } from 'tap'
import { request } from 'undici'
import type { Running } from '../support/start-sidecar.ts'

/* A client of the admin API that takes nothing on trust: each answer has to be what the OpenAPI document says. */

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Record<string, unknown>
}

export interface Operation {
  readonly method: 'GET' | 'POST'
  /** `/keys/{operation}` */
  readonly path: string
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string, readonly parameters: readonly unknown[], readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, { readonly schema: object }>> }>> }>>>>
}

export class Console {
  readonly #sidecar: Running
  readonly #document: Document
  readonly #headers: Readonly<Record<string, string>>
  readonly #ajv: Ajv2020

  private constructor(sidecar: Running, document: Document, headers: Readonly<Record<string, string>>) {
    this.#sidecar = sidecar
    this.#document = document
    this.#headers = headers
    this.#ajv = new Ajv2020({ strict: false, formats: { 'date-time': (text: string) => new Date(text).toISOString() === text } })
    this.#ajv.addSchema(document, 'openapi')
  }

  static async open(sidecar: Running, token: string | null = null): Promise<Console> {
    const headers = token === null ? {} : { authorization: `Bearer ${token}` }
    const { statusCode, body } = await request(`${sidecar.adminAddress}/api/v1/openapi.json`, { headers })
    if (statusCode !== 200) throw new Error(`the document is answered ${statusCode}`)
    return new Console(sidecar, await body.json() as Document, headers)
  }

  get operations(): readonly Operation[] {
    return Object.entries(this.#document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => ({ method: method === 'get' ? 'GET' : 'POST', path })))
  }

  /** Throws if the answer is not what the document says. */
  async ask(t: Pick<Test, 'ok'>, method: 'GET' | 'POST', path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const raw = typeof body === 'string' || Buffer.isBuffer(body) ? body : body === undefined ? undefined : JSON.stringify(body)
    const sent = await request(`${this.#sidecar.adminAddress}/api/v1${path}`, { method, headers: { ...this.#headers, ...(raw === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...(raw === undefined ? {} : { body: raw }) })
    const answer = await sent.body.json() as Record<string, unknown>
    const type = String(sent.headers['content-type'])
    const validate = this.#schemaOf(method, path, sent.statusCode)
    const conforms = validate === null || validate(answer)
    t.ok(conforms, `${method} ${path}: ${JSON.stringify(validate?.errors ?? null)} ${conforms ? '' : JSON.stringify(answer)}`)
    t.ok(sent.statusCode === 200 ? type.startsWith('application/json') : type === 'application/problem+json', `${method} ${path}: ${type}`)
    return { status: sent.statusCode, headers: sent.headers, body: answer }
  }

  #schemaOf(method: string, asked: string, status: number): ValidateFunction | null {
    const path = asked.split('?', 1)[0] ?? ''
    const found = Object.keys(this.#document.paths).find((template) => template === path) ?? Object.keys(this.#document.paths).find((template) => new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path))
    const isOurs = found !== undefined && method.toLowerCase() in (this.#document.paths[found] ?? {})
    if (status !== 200) return this.#ajv.getSchema('openapi#/components/schemas/Problem') ?? null
    if (!isOurs) throw new Error(`${method} ${path} is not in the document`)
    return this.#ajv.getSchema(`openapi#/paths/${found.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D')}/${method.toLowerCase()}/responses/200/content/application~1json/schema`) ?? null
  }
}

import type { TokenVerifier } from '../../core/ports.ts'
import { explained, treatmentOf, type Rules } from '../../request/explanation.ts'
import { FLAG, listOf, nullable, objectOf, TEXT, WORD, type Resource } from './resource.ts'

export interface PoliciesOptions {
  /** those in force */
  readonly rules: () => Rules
  readonly tokens: TokenVerifier
}

const FIELDS = { type: 'array', items: objectOf({ field: TEXT, value: TEXT, origin: { enum: ['route', 'consumer', 'defaults', 'built-in'] } }), description: 'Each field of the policy that has a value, and who says so.' }
const TREATMENT = { sentence: TEXT, fields: FIELDS }

/** The rules in force, as `onceward explain` tells them. Secrets of the configuration are not among them. */
export function policyResources({ rules, tokens }: PoliciesOptions): readonly Resource[] {
  return [
    {
      method: 'GET', path: '/policies', id: 'listPolicies', summary: 'Every route in force, in the order in which they are tried, with its policy.', answer: listOf(objectOf({ route: TEXT, ...TREATMENT })),
      handle() {
        const inForce = rules()
        return Promise.resolve({ items: inForce.routes.map((route) => treatmentOf(route, inForce)), next: null })
      },
    },
    {
      method: 'POST', path: '/explain', id: 'explain', summary: 'What would become of a request, and why. Nothing is sent, and nothing changes; a token is verified.',
      body: objectOf({
        method: { type: 'string', pattern: '^[A-Z]{1,32}$' }, target: { ...WORD, pattern: '^/', description: 'Path and query.' },
        headers: { type: 'array', maxItems: 100, items: { type: 'array', minItems: 2, maxItems: 2, items: { type: 'string', maxLength: 8192 } }, description: 'Header fields as pairs.' },
      }, ['method', 'target']),
      answer: objectOf({
        path: TEXT, tried: { type: 'array', items: objectOf({ route: TEXT, why_not: { ...nullable('string'), description: 'Null for the one that matches.' } }) },
        treatment: { ...objectOf({ route: TEXT, ...TREATMENT }), type: ['object', 'null'] }, fate: TEXT, refused: FLAG,
      }),
      async handle({ body }) {
        const fields = Array.isArray(body['headers']) ? body['headers'].flat().map(String) : []
        const { path, tried, treatment, fate, refused } = await explained({ method: String(body['method']), target: String(body['target']), fields }, rules(), tokens)
        return { path, tried: tried.map(({ route, whyNot }) => ({ route, why_not: whyNot })), treatment, fate, refused }
      },
    },
  ]
}

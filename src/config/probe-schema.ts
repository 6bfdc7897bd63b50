import { DURATION_PATTERN } from './units.ts'

/* `when_unsure: { probe: ... }`: how the upstream is asked about a request that got no answer, and how its answer is read. */

const TEMPLATE = { type: 'string', format: 'template' } as const
const DURATION = { type: 'string', format: 'duration-with-unit', pattern: DURATION_PATTERN } as const
const POINTER = { type: 'string', format: 'json-pointer', pattern: '^/' } as const
const VALUE = { type: 'string', minLength: 1 } as const

export const PROBE = {
  type: 'object', additionalProperties: false, required: ['get', 'quiet'],
  examples: ['{get: "/v1/charges?key={key}&account={identity}", quiet: 2m}'],
  description: 'A question to the upstream: did this request run? Only with a scope that somebody vouches for (`header`, `jwt` or `none`), and with `{identity}` in `get`, in a header or in `expect`, so that nobody is told of another client\'s request.',
  properties: {
    get: {
      type: 'string', format: 'target-template', pattern: '^/',
      description: 'Path and query of a GET. `{key}`, `{identity}` (the name that the scope\'s header or claim has), `{body:/json/pointer}` and `{header:name}` are filled in when the request is claimed, percent-encoded, and stored with its key. Where one is missing, or could change the path, the key is held.',
      examples: ['/v1/charges?key={key}&account={identity}'],
    },
    headers: {
      type: 'object', additionalProperties: TEMPLATE, examples: ['{x-account: "{identity}"}'],
      description: 'Headers of the question; nothing of the client\'s own is sent. Stored, so no secret belongs here.',
    },
    credential: {
      type: 'object', additionalProperties: false, required: ['header', 'value'], description: 'How the question authenticates itself, whoever the client was. Never stored, and read anew with the configuration.',
      properties: {
        header: { type: 'string', format: 'header-name', description: 'Its header.', examples: ['authorization'] },
        value: { type: 'string', format: 'probe-credential', minLength: 1, description: 'Its value, from a variable: `Bearer ${PROBE_TOKEN}`.', examples: ['Bearer ${PROBE_TOKEN}'] },
      },
    },
    expect: {
      type: 'object', additionalProperties: TEMPLATE, examples: ['{/data/0/account: "{identity}"}'],
      description: 'JSON pointers into the answer, and what must stand there before a found request counts.',
    },
    quiet: { ...DURATION, formatMinimum: '1s', formatMaximum: '24h', description: 'The longest that the upstream may work on a request after it got it. What is absent counts only when so much time has passed since the request could last have been sent; too short a time means executing twice.', examples: ['2m'] },
    timeout: { ...DURATION, formatMinimum: '1ms', formatMaximum: '1m', default: '5s', description: 'The longest time for one answer.' },
    attempts: { type: 'integer', minimum: 1, maximum: 10, default: 3, description: 'Questions at most while a request waits. In the background one at a time.' },
    found: {
      type: 'object', additionalProperties: false, description: 'It ran.',
      properties: {
        status: { type: 'array', minItems: 1, uniqueItems: true, items: { type: 'integer', minimum: 200, maximum: 299 }, default: [200], description: 'With one of these statuses.' },
        pointer: { ...POINTER, description: 'And with something at this place of its JSON body.', examples: ['/data/0'] },
        equals: { ...VALUE, description: 'And with this text, number or word there.' },
      },
    },
    absent: {
      type: 'object', additionalProperties: false, description: 'It is not there. All that is neither found nor absent is unclear, and the key stays in doubt.',
      properties: {
        status: { type: 'array', minItems: 1, uniqueItems: true, items: { enum: [200, 204, 404, 410] }, default: [404], description: 'With one of these statuses.' },
        pointer: { ...POINTER, description: 'And with nothing, or null, at this place of its JSON body, which has the object or list around it.', examples: ['/data/0'] },
        equals: { ...VALUE, description: 'Or with this text, number or word there.' },
      },
    },
    reply: {
      anyOf: [{ const: 'probe' }, {
        type: 'object', additionalProperties: false, required: ['status'], examples: ['{status: 201, pointer: /data/0}'],
        properties: {
          status: { type: 'integer', minimum: 200, maximum: 599, description: 'Its status.', examples: ['201'] },
          content_type: { type: 'string', format: 'header-match', default: 'application/json', description: 'Its Content-Type.' },
          pointer: { ...POINTER, description: 'Its body: what stands at this place of the answer.', examples: ['/data/0'] },
          body: { type: 'string', default: '', description: 'Its body, without a `pointer`.' },
        },
      }],
      default: 'probe',
      description: 'What a found request is answered with, now and by replays. `probe`: the answer to the question. Or a reply of its own.',
    },
  },
} as const

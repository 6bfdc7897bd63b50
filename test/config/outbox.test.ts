import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { originsOf } from '../../src/config/origins.ts'
import { configOf, mistakesIn, policyOf } from '../support/load-text.ts'

const SINKS = `sinks: { payments: { webhook: { url: "https://hooks.example.com/s3cret", secrets: ["whsec_${Buffer.alloc(32).toString('base64')}"] } } }`

function routeWith(outbox: string, more = ''): string {
  return `${SINKS}\nroutes: [{ name: a, match: { path: /a }, ${more}outbox: ${outbox} }]`
}

test('an event of a route, with its defaults', async (t) => {
  const config = await configOf(routeWith('{ sink: payments, type: charge.created }'))
  t.strictSame(policyOf(config, 'a').outbox, [{ on: { classes: [2], statuses: [] }, sink: 'payments', type: 'charge.created', lane: [{ kind: 'operation' }], data: null }])
  t.strictSame(policyOf(config, 'default').outbox, [])
  t.strictSame(config.warnings, [])
})

test('a list of events, with templates and data', async (t) => {
  const config = await configOf(routeWith('[{ on: [2xx, 409, 5xx], sink: payments, type: a, lane: "c-{body:/customer/id}", data: { id: "{reply:/id}", n: 1.5, deep: [{ x: null, y: "{status}: {reply-header:X-Y}" }, true] } }, { on: any, sink: payments, type: b }]'))
  const [first, second] = policyOf(config, 'a').outbox
  t.strictSame(first, {
    on: { classes: [2, 5], statuses: [409] }, sink: 'payments', type: 'a',
    lane: [{ kind: 'text', text: 'c-' }, { kind: 'body', pointer: ['customer', 'id'] }],
    data: { kind: 'object', members: [
      ['id', { kind: 'text', template: [{ kind: 'reply', pointer: ['id'] }] }],
      ['n', { kind: 'constant', json: '1.5' }],
      ['deep', { kind: 'array', items: [
        { kind: 'object', members: [['x', { kind: 'constant', json: 'null' }], ['y', { kind: 'text', template: [{ kind: 'status' }, { kind: 'text', text: ': ' }, { kind: 'reply-header', name: 'x-y' }] }]] },
        { kind: 'constant', json: 'true' },
      ] }],
    ] },
  })
  t.ok([204, 302, 404, 599].every((status) => second?.on.classes.includes(Math.floor(status / 100))))
})

test('what an event cannot be', async (t) => {
  const event = (fields: string) => `{ sink: payments, type: a, ${fields} }`
  const cases: readonly (readonly [string, RegExp])[] = [
    [routeWith('{ sink: paymnets, type: a }'), /^2:\d+: routes\[0\]\.outbox\.sink: found paymnets; needed: a name under sinks: payments \(write payments\)/],
    ['routes: [{ name: a, match: { path: /a }, outbox: { sink: x, type: a } }]', /outbox\.sink: found x; needed: a name under sinks, and there are none/],
    [routeWith('[{ sink: payments, type: a }, { sink: other, type: a }]'), /outbox\[1\]\.sink: found other/],
    [routeWith('{ sink: payments }'), /outbox\.type: found nothing; needed: what happened/],
    [routeWith('{ sink: payments, type: "charge created" }'), /outbox\.type: found "charge created"; .* \(write charge\.created\)/],
    [routeWith(event('on: 6xx')), /outbox\.on: found 6xx; needed: 2xx, 3xx/],
    [routeWith(event('on: [2xx, 700]')), /outbox\.on\[1\]: found 700/],
    [routeWith(event('lan: x')), /outbox\.lan: there is no such field; did you mean lane\?/],
    [routeWith(event('lane: "{customer}"')), /outbox\.lane: found "\{customer\}"; needed: a text with \{key\}/],
    [routeWith(event('lane: "{identity}"')), /outbox\.lane: .*no \{identity\}, because with scope: credential/],
    [routeWith(event('data: { a: [{ b: "{reply:id}" }] }')), /outbox\.data\.a\[0\]\.b: found "\{reply:id\}"; needed: a text with/],
    [routeWith(event('data: { a: "{header:Authorization}" }')), /outbox\.data\.a: .*no header that is a credential/],
    [routeWith(event('data: { a: .inf }')), /outbox\.data\.a: found \.inf; needed: a text, a number/],
    [routeWith(event('data: [a]')), /outbox\.data: /],
    [routeWith('later'), /outbox: found later; needed: \{sink: payments, type: charge\.created\}, or a list/],
    [routeWith('[]'), /outbox: found an empty list/],
    [routeWith('{ sink: payments, type: a }', 'pass: true, '), /outbox: .*pass: true/],
    [routeWith('{ sink: payments, type: a }', 'idempotency: { key: ignored }, '), /outbox: .*idempotency\.key is ignored/],
  ]
  for (const [text, expected] of cases) {
    const mistakes = await mistakesIn(text)
    t.equal(mistakes.length, 1, `${text}: ${mistakes.join('\n')}`)
    t.match(mistakes[0], expected)
  }
  t.strictSame(await mistakesIn(routeWith(event('lane: "{identity}"'), 'idempotency: { scope: { header: x-tenant } }, ')), [])
})

test('all mistakes of an outbox are told at once', async (t) => {
  t.equal((await mistakesIn(routeWith('[{ sink: nobody, type: "", lane: "{" }, { sink: payments, type: a, data: { x: "{y}", z: "}" } }]'))).length, 5)
})

test('explain has the events of a route, and nothing of a sink', async (t) => {
  const config = await configOf(routeWith('[{ sink: payments, type: a }, { on: [2xx, 409], sink: payments, type: b, data: { id: "{reply:/id}" } }]'))
  const fields = originsOf(config.written, 0)
  t.strictSame(fields.filter(({ field }) => field.startsWith('outbox')), [
    { field: 'outbox[0]', value: '{sink: payments, type: a}', origin: 'route' },
    { field: 'outbox[1]', value: '{on: [2xx, 409], sink: payments, type: b, data: {id: {reply:/id}}}', origin: 'route' },
  ])
  t.notMatch(JSON.stringify(fields), /s3cret|whsec/)
})

test('the example of docs/outbox.md is right and is warned of nothing', async (t) => {
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(readFileSync(new URL('../../docs/outbox.md', import.meta.url), 'utf8')) ?? []
  const config = await configOf(example)
  t.strictSame(config.warnings, [])
  t.match(policyOf(config, 'create-charge').outbox, [{ sink: 'payments', type: 'charge.created' }])
})

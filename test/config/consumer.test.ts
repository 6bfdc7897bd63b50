import { join } from 'node:path'
import { inspect } from 'node:util'
import { test, type Test } from 'tap'
import { parseArguments } from '../../src/cli/arguments.ts'
import { check } from '../../src/cli/check.ts'
import { explain } from '../../src/cli/explain.ts'
import type { Policy } from '../../src/core/policy.ts'
import { STRIPE_SECRET, WEBHOOK_SECRET } from '../support/sign-webhooks.ts'
import { configOf, mistakesIn, policyOf } from '../support/load-text.ts'

const SIGNED = `{ standard_webhooks: { secrets: ["${WEBHOOK_SECRET}"] } }`
const STRIPE = `{ stripe: { secrets: ["${STRIPE_SECRET}", "whsec_anotherofthem1234"], tolerance: 30s } }`

const text = (consumer: string, more = '', defaults = ''): string => `${defaults}\nroutes:\n  - { name: hooks, match: { method: POST, path: /hooks }, consumer: ${consumer}${more} }\n`
const policy = async (consumer: string, more = '', defaults = ''): Promise<Policy> => policyOf(await configOf(text(consumer, more, defaults)), 'hooks')
const wrong = async (consumer: string, more = ''): Promise<string[]> => (await mistakesIn(text(consumer, more))).map((line) => line.replace(/^[0-9:]+ routes\[0\]\./, ''))
const UNSIGNED = ', idempotency: { scope: route }'

test('a sender that signs: its id is the key, for two weeks, and only 2xx is an answer', async (t) => {
  t.match(await policy(SIGNED), {
    key: 'required', keyFrom: { kind: 'headers', names: ['webhook-id'] }, keyHeader: 'ignored', scope: { kind: 'route', route: 'hooks' },
    signature: { scheme: 'standard-webhooks', toleranceMs: 300_000 }, retention: { defaultMs: 1_209_600_000, minMs: 1_209_600_000, maxMs: 1_209_600_000 },
    fingerprint: { mode: 'raw' }, status: { rules: new Map(), otherwise: 'refused' }, retry: { attempts: 1 }, whenUnsure: { kind: 'hold' },
  })
  t.match(await policy(STRIPE), {
    keyFrom: { kind: 'pointer', pointer: ['id'] }, signature: { scheme: 'stripe', toleranceMs: 30_000 }, fingerprint: { mode: 'json', exclude: ['/pending_webhooks'] },
  })
  t.equal((await policy(STRIPE)).signature?.secrets.length, 2)
  t.strictSame((await configOf(text(SIGNED))).warnings, [])
})

test('a sender that nobody verifies: the scope is said, and no answer but 2xx leaves anything', async (t) => {
  for (const [consumer, keyFrom] of [
    ['standard-webhooks', { kind: 'headers', names: ['webhook-id'] }], ['stripe', { kind: 'pointer', pointer: ['id'] }], ['cloudevents', { kind: 'cloudevents' }],
    ['{ key_from: { headers: [X-Source, x-id] } }', { kind: 'headers', names: ['x-source', 'x-id'] }], ['{ key_from: { pointer: /a/b } }', { kind: 'pointer', pointer: ['a', 'b'] }], ['{ key_from: { header: Idempotency-Key } }', { kind: 'headers', names: ['idempotency-key'] }],
  ] as const) {
    const { keyFrom: found, signature, keyHeader, status } = await policy(consumer, UNSIGNED)
    t.strictSame({ found, signature, keyHeader }, { found: keyFrom, signature: null, keyHeader: 'ignored' }, consumer)
    t.strictSame([...status.rules], [408, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530].map((code) => [code, 'refused']))
    t.match(await wrong(consumer), [/^idempotency\.scope: found nothing; needed: scope: route, or another one, in as many words/])
    t.match((await configOf(text(consumer, UNSIGNED))).warnings, [/the route hooks verifies no signature/])
  }
})

test('what the route says itself wins, over the file\'s defaults too', async (t) => {
  const defaults = 'defaults: { idempotency: { key: ignored, retention: 1h, scope: none, lease: 90s, fingerprint: { headers: [x-a], mode: json } }, retry: { attempts: 7, base: 9ms }, status: { refused: [503], final: [404], lost: [500] } }'
  t.match(await policy(SIGNED, '', defaults), {
    key: 'required', scope: { kind: 'route' }, retention: { defaultMs: 1_209_600_000 }, leaseMs: 90_000, fingerprint: { mode: 'raw', headers: ['x-a'] },
    retry: { attempts: 1, backoff: { baseMs: 9 } }, status: { rules: new Map(), otherwise: 'refused' },
  })
  t.match(await policy(SIGNED, ', idempotency: { scope: none, retention: 30d }, retry: { attempts: 3 }, status: { refused: [502], final: [410], lost: [500], otherwise: final }', defaults), {
    scope: { kind: 'none' }, retention: { defaultMs: 2_592_000_000, minMs: 2_592_000_000, maxMs: 2_592_000_000 }, retry: { attempts: 3 },
    status: { rules: new Map([[502, 'refused'], [410, 'final'], [500, 'lost']]), otherwise: 'final' },
  })
  t.match(await policy(SIGNED, ', idempotency: { retention_bounds: { min: 1m } }'), { retention: { defaultMs: 1_209_600_000, minMs: 60_000, maxMs: 2_592_000_000 } })
  t.equal((await policy('stripe', `${UNSIGNED}, status: { lost: [502] }`)).status.rules.get(502), 'lost', 'one status has one meaning')
})

test('what contradicts it is a mistake', async (t) => {
  t.match(await wrong(SIGNED, ', idempotency: { key: optional }'), [/^idempotency\.key: found optional; needed: nothing, because consumer needs a key/])
  t.match(await wrong(SIGNED, ', idempotency: { key_from: { header: x } }'), [/^idempotency\.key_from: .*nothing, because consumer says where/])
  t.match(await wrong(SIGNED, ', pass: true'), [/^consumer: .*nothing, because the route has pass: true/])
  t.match(await wrong(SIGNED, ', idempotency: { retention_bounds: { max: 7d } }'), [/retention at most retention_bounds\.max/])
  t.match(await wrong('{ key_from: { header: connection } }', UNSIGNED), [/^consumer\.key_from\.header: found connection; needed: another header/])
  t.match(await wrong('{ key_from: { headers: [x-a, te] } }', UNSIGNED), [/^consumer\.key_from\.headers\[1\]: found te/])
  t.match(await wrong('webhooks', UNSIGNED), [/^consumer: found webhooks; needed: standard-webhooks, cloudevents or stripe, or /])
  t.match(await wrong('{}', UNSIGNED), [/^consumer: .*exactly one of standard_webhooks, stripe or key_from/])
  t.match(await wrong('{ stripe: {} }'), [/^consumer\.stripe\.secrets: found nothing/])
  t.match(await wrong('{ stripe: { secrets: [] } }'), [/^consumer\.stripe\.secrets: found an empty list; needed: at least one/])
  t.match(await wrong(SIGNED.replace(' } }', ', tolerance: 2h } }')), [/^consumer\.standard_webhooks\.tolerance: found 2h; needed: at most 1h/])
  const probing = 'defaults: { idempotency: { scope: { header: x-tenant }, when_unsure: { probe: { get: "/a?k={key}&i={identity}", quiet: 1m } } } }'
  t.match(await mistakesIn(text(SIGNED, '', probing)), [/routes\[0\]\.idempotency\.scope: found nothing; needed: no \{identity\}, because with scope: route nobody says who asks/])
  t.strictSame(await mistakesIn(text(SIGNED, ', idempotency: { scope: { header: x-tenant } }', probing)), [])
  const lane = ', outbox: { on: 2xx, sink: s, type: a, lane: "{identity}" }'
  t.match(await mistakesIn(text(SIGNED, lane, 'sinks: { s: { webhook: { url: "https://a.example" } } }\ndefaults: { idempotency: { scope: { header: x-tenant } } }')), [/outbox\.lane: .*no \{identity\}, because with scope: route/])
  t.match(await mistakesIn('defaults: { consumer: stripe }'), [/defaults\.consumer: there is no such field/])
})

test('a secret in the wrong form or the wrong place is not repeated', async (t) => {
  for (const [consumer, more] of [
    ['{ standard_webhooks: { secrets: ["hunter2hunter2"] } }', ''], ['{ standard_webhooks: { secrets: [whsec_hunter2] } }', ''], ['{ standard_webhooks: { secrets: hunter2 } }', ''], ['{ stripe: { secrets: [sk_live_hunter2] } }', ''],
    ['{ stripe: { secrets: "whsec_hunter2hunter2" } }', ''], ['whsec_hunter2hunter2', UNSIGNED], ['{ stripe: whsec_hunter2hunter2 }', ''], ['{ key_from: whsec_hunter2hunter2 }', UNSIGNED],
  ] as const) {
    const told = await wrong(consumer, more)
    t.equal(told.length, 1, consumer)
    t.notMatch(told, [/hunter2/], consumer)
  }
})

async function said(t: Test, ...args: readonly string[]): Promise<string> {
  const file = join(t.testdir({ 'a.yaml': `upstream: http://127.0.0.1:3000\n${text(STRIPE, ', idempotency: { lease: 90s }')}` }), 'a.yaml')
  const command = parseArguments([...args, ...(args[0] === 'check' ? [file] : ['--config', file])])
  const lines: string[] = []
  const output = { line: (line: string) => void lines.push(line), complaint: (line: string) => void lines.push(line) }
  if (command.kind === 'explain') await explain(command.asked, command.flags, {}, output)
  else if (command.kind === 'check') await check(command.file, command.flags, {}, output)
  else throw new Error(JSON.stringify(command))
  return lines.join('\n')
}

test('explain and check show what it stands for, and no secret', async (t) => {
  const shown = await said(t, 'explain', 'POST', '/hooks')
  for (const line of [
    /^ +consumer +\{stripe: \{secrets: \[not shown, not shown\], tolerance: 30s\}\} +route$/m, /^ +idempotency\.key_from +\{pointer: \/id\} +consumer$/m, /^ +idempotency\.retention +14d +consumer$/m,
    /^ +idempotency\.scope +route +consumer$/m, /^ +idempotency\.lease +90s +route$/m, /^ +idempotency\.fingerprint\.exclude +\[\/pending_webhooks\] +consumer$/m, /^ +status\.otherwise +refused +consumer$/m, /^ +retry\.base +50ms +built-in$/m,
    /This request has an identity: with a key in its body it runs once/,
  ]) t.match(shown, line)
  const checked = await said(t, 'check')
  t.match(checked, /scope route, signed as stripe has it \(2 secrets, 30s\)/)
  for (const leaky of [shown, checked, inspect(await policy(STRIPE), { depth: 9 }), JSON.stringify(await policy(STRIPE))]) t.notMatch(leaky, /5WbX5|anotherofthem/)
})

test('what would free keys is told: another sender, another name, a signature where there was none', async (t) => {
  const { freedBy } = await import('../../src/core/key-space.ts')
  const change = async (past: string, next: string): Promise<string[]> => freedBy((await configOf(past)).keySpace, (await configOf(next)).keySpace)
  t.strictSame(await change(text(SIGNED), text(SIGNED.replace(WEBHOOK_SECRET, `whsec_${Buffer.alloc(24, 1).toString('base64')}`))), [], 'another secret frees nothing')
  t.strictSame(await change(text(SIGNED), text(SIGNED).replace('name: hooks', 'name: other')), ['other takes requests of hooks and has another scope'])
  t.strictSame(await change(text('stripe', ', idempotency: { scope: none }'), text(STRIPE)), ['hooks has another scope'])
  t.strictSame(await change(text('stripe', UNSIGNED), text(STRIPE)), [], 'unless it was scope: route before')
  t.strictSame(await change(text(SIGNED), text(STRIPE)), ['hooks has another key source'])
})

import { join } from 'node:path'
import { test, type Test } from 'tap'
import { parseArguments } from '../../src/cli/arguments.ts'
import { check } from '../../src/cli/check.ts'
import { explain } from '../../src/cli/explain.ts'
import { freedBy } from '../../src/core/key-space.ts'
import { configOf, mistakesIn } from '../support/load-text.ts'

const SEALING = `store: { sealing: { keys: [{ id: one, secret: "${Buffer.alloc(32, 1).toString('base64')}" }] } }\nsinks: { payments: { webhook: { url: "https://hooks.example.com/", secrets: ["whsec_${Buffer.alloc(32, 1).toString('base64')}"] } } }`
const route = (more: string): string => `\nroutes:\n  - { name: charge, match: { method: POST, path: /charges }, ${more} }\n`

test('a route is in shadow mode if it says so, or if defaults do and it does not', async (t) => {
  const kinds = async (text: string): Promise<unknown[]> => (await configOf(text)).routes.map(({ name, action }) => `${name} ${action.kind}`)
  t.strictSame(await kinds(route('idempotency: { mode: shadow }')), ['charge shadow', 'default guard', 'pass-through pass'])
  t.strictSame(await kinds(`defaults: { idempotency: { mode: shadow } }${route('idempotency: { mode: enforce }')}`), ['charge guard', 'default shadow', 'pass-through pass'])
  t.strictSame(await kinds(route('idempotency: { mode: shadow, key: ignored }')), ['charge pass', 'default guard', 'pass-through pass'])
  t.match(await mistakesIn(route('idempotency: { mode: shade }')), [/idempotency\.mode: found shade; needed: enforce or shadow/])
})

test('what needs completions is refused beside it, and says why', async (t) => {
  const wrong = (more: string, before = ''): Promise<string[]> => mistakesIn(`${SEALING}\n${before}${route(more)}`)
  t.match(await wrong('async: allowed, idempotency: { mode: shadow }'), [/routes\[0\]\.async: found allowed; needed: nothing, because idempotency\.mode is shadow/])
  t.match(await wrong('outbox: { sink: payments, type: charged }, idempotency: { mode: shadow }'), [/routes\[0\]\.outbox: .*nothing, because idempotency\.mode is shadow/])
  t.match(await wrong('async: allowed', 'defaults: { idempotency: { mode: shadow } }'), [/routes\[0\]\.async: .*mode is shadow/], 'by defaults, too')
  t.strictSame(await wrong('async: allowed, idempotency: { mode: enforce }', 'defaults: { idempotency: { mode: shadow } }'), [])
})

test('each route that only looks on is warned of, by its name', async (t) => {
  const { warnings } = await configOf(route('idempotency: { mode: shadow }'))
  t.match(warnings, [/the route charge says mode: shadow: its requests pass WITHOUT PROTECTION/])
  t.strictSame((await configOf(route('idempotency: { mode: enforce }'))).warnings, [])
})

test('into shadow mode and out of it frees no key; it says in as many words that nothing is protected', async (t) => {
  const spaceOf = async (more: string) => (await configOf(route(more))).keySpace
  const [enforced, shadowed, other] = [await spaceOf('idempotency: { mode: enforce }'), await spaceOf('idempotency: { mode: shadow }'), await spaceOf('idempotency: { scope: none }')]
  t.strictSame(freedBy(enforced, shadowed), [])
  t.strictSame(freedBy(shadowed, enforced), [])
  t.strictSame(freedBy(enforced, other), ['charge has another scope'])
  const looking = await spaceOf('idempotency: { mode: shadow, scope: none }')
  t.strictSame([freedBy(enforced, looking), freedBy(looking, enforced)], [[], []], 'a scope that is only tried out files nothing')
})

async function said(t: Test, how: 'check' | 'explain', ...args: readonly string[]): Promise<string> {
  const file = join(t.testdir({ 'a.yaml': `upstream: http://127.0.0.1:3000${route('idempotency: { mode: shadow, key: required }')}` }), 'a.yaml')
  const command = parseArguments([how, ...(how === 'check' ? [file] : [...args, '--config', file])])
  const lines: string[] = []
  const output = { line: (line: string) => void lines.push(line), complaint: (line: string) => void lines.push(line) }
  if (command.kind === 'explain') t.equal(await explain(command.asked, command.flags, {}, output), 0, 'whatever enforcement would do, it passes')
  else if (command.kind === 'check') await check(command.file, command.flags, {}, output)
  else throw new Error(JSON.stringify(command))
  return lines.join('\n')
}

test('check and explain say that nothing is enforced, and what would be', async (t) => {
  t.match(await said(t, 'check'), /charge +POST \/charges: passes as it is, in shadow of: key required, kept 1d/)
  const refused = await said(t, 'explain', 'POST', '/charges')
  t.match(refused, /charge is in shadow mode: it passes everything as it is, protects nothing, and counts what this policy would have done:/)
  t.match(refused, /This request passes as it is, because of mode: shadow\. With mode: enforce: This request is refused: 400 key-missing/)
  t.match(await said(t, 'explain', 'POST', '/charges', '-H', 'Idempotency-Key: k', '-H', 'Authorization: a'), /With mode: enforce: This request has a key and an identity: it runs once/)
})

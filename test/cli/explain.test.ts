import { join } from 'node:path'
import { test, type Test } from 'tap'
import { parseArguments } from '../../src/cli/arguments.ts'
import { explain } from '../../src/cli/explain.ts'
import { originsOf } from '../../src/config/origins.ts'
import { parseDuration } from '../../src/config/units.ts'
import { configOf, policyOf } from '../support/load-text.ts'

const FILE = `
upstream: \${UP}
defaults: { idempotency: { lease: 90s, retention_bounds: { min: 2m }, fingerprint: { headers: [x-a] } } }
routes:
  - { name: webhooks, match: { method: [POST, PUT], path: /webhooks/* }, idempotency: { scope: none, key: ignored } }
  - { name: beta, match: { path: /v1/*, headers: { x-beta: "*", x-token: "\${TOKEN}" } }, pass: true }
  - { name: tenant, match: { path: /v1/*, host: "*.example.com" }, pass: true }
  - { name: by-token, match: { method: POST, path: /v2/charges }, idempotency: { scope: { jwt: { claim: sub, issuer: a, jwks: { file: /nowhere/keys.json } } }, fingerprint: { mode: json } } }
  - { name: create-charge, match: { method: POST, path: /v1/charges }, idempotency: { key: required, retention: 3d, in_flight: { wait: 10s } }, status: { lost: [500, 501] } }
`

async function explained(t: Test, ...args: readonly string[]): Promise<{ readonly code: number, readonly text: string }> {
  const command = parseArguments(['explain', ...args, '--config', join(t.testdir({ 'a.yaml': FILE }), 'a.yaml')])
  if (command.kind !== 'explain') throw new Error(JSON.stringify(command))
  const lines: string[] = []
  const hear = (line: string): void => void lines.push(line)
  const code = await explain(command.asked, command.flags, { UP: 'http://127.0.0.1:3000', TOKEN: 'the-token' }, { line: hear, complaint: hear })
  return { code, text: lines.join('\n') }
}

test('the route, why none before it, and each field of its policy with its origin', async (t) => {
  const { code, text } = await explained(t, 'POST', '/v1//charges/?x=1', '-H', 'Idempotency-Key: secret-key', '-H', 'X-API-Key: secret-credential', '-H', 'x-beta: 1', '-H', 'X-Token: other')
  t.equal(code, 0)
  const [asked, ...rest] = text.split('\n')
  t.equal(asked, 'POST /v1/charges')
  t.strictSame(rest.slice(0, 5), [
    '  1. webhooks       no: it is for /webhooks/*',
    '  2. beta           no: it wants another value of the header x-token',
    '  3. tenant         no: it is for the host *.example.com, and no Host was given',
    '  4. by-token       no: it is for /v2/charges',
    '  5. create-charge  yes',
  ])
  const fields = new Map(rest.map((line) => line.trim().split(/ {2,}/)).filter(({ length }) => length === 3).map(([field, ...more]) => [field, more.join(' ')]))
  for (const [field, said] of Object.entries({
    'idempotency.key': 'required route', 'idempotency.retention': '3d route', 'idempotency.in_flight': '{wait: 10s} route', 'status.lost': '[500, 501] route',
    'idempotency.lease': '90s defaults', 'idempotency.retention_bounds.min': '2m defaults', 'idempotency.fingerprint.headers': '[x-a] defaults',
    'idempotency.retention_bounds.max': '30d built-in', 'idempotency.scope': 'credential built-in', 'retry.deadline': '30s built-in',
  })) t.equal(fields.get(field), said, field)
  t.match(rest.at(-1), /runs once/)
  for (const secret of ['secret-key', 'secret-credential', 'the-token']) t.notMatch(text, secret)
})

test('a request that would be refused is told with its problem, and 1', async (t) => {
  t.match(await explained(t, 'POST', '/v1/charges', '-H', 'X-API-Key: a'), { code: 1, text: /5\. create-charge  yes[^]*refused: 400 key-missing: / })
  t.match(await explained(t, 'POST', '/v1/charges', '-H', 'Idempotency-Key: a'), { code: 1, text: /refused: 400 identity-missing: / })
  t.match(await explained(t, 'POST', '/v1/charges', '-H', 'Idempotency-Key: ä', '-H', 'X-API-Key: a'), { code: 1, text: /refused: 400 key-invalid: / })
  t.match(await explained(t, 'POST', '/V1/charges'), { code: 1, text: /^This request is refused: 400 request-invalid: the path could be read in two ways/ })
  t.match(await explained(t, 'POST', '/a%2fb'), { code: 1, text: /^This request is refused: 400 request-invalid: / })
  t.match(await explained(t, 'POST', '/_onceward/x'), { code: 1, text: /^This request is refused: 404 not-found: / })
})

test('a token is verified, and keys that cannot be read are told', async (t) => {
  const token = ['{"alg":"RS256"}', '{"sub":"a"}', 'x'].map((part) => Buffer.from(part).toString('base64url')).join('.')
  const { code, text } = await explained(t, 'POST', '/v2/charges', '-H', 'Idempotency-Key: a', '-H', `Authorization: Bearer ${token}`)
  t.equal(code, 1)
  t.match(text, /fingerprint\.mode +json +route\n +idempotency\.fingerprint\.headers +\[x-a\] +defaults\n/)
  t.match(text, /^identity\.keys-unavailable: /)
  t.match(text, /\nThis request is refused: 503 identity-unavailable: /)
  t.notMatch(text, token)
})

test('what passes says why', async (t) => {
  t.match(await explained(t, 'PUT', '/webhooks/x'), { code: 0, text: /webhooks passes everything as it is, because idempotency\.key is ignored \(route\)\n\nThis request passes as it is\.$/ })
  t.match(await explained(t, 'GET', '/v1/x', '-H', 'Host: a.example.com:80'), { code: 0, text: /2\. beta +no: it wants the header x-beta\n +3\. tenant +yes\n\ntenant passes everything as it is, because the route says pass: true/ })
  t.match(await explained(t, 'GET', '/x'), { code: 0, text: /6\. default +no: it is for POST PATCH\n +7\. pass-through +yes\n\npass-through passes everything as it is, as the last route behind all others/ })
  t.match(await explained(t, 'POST', '/x'), { code: 0, text: /6\. default +yes[^]*it has no key, and here a key is optional\.$/ })
})

test('a path that is no text is explained as its bytes', async (t) => {
  t.match(await explained(t, 'GET', '/café'), { code: 0, text: /^GET \/caf%C3%A9\n/ })
})

test('a configuration with mistakes is answered with them and 78', async (t) => {
  const lines: string[] = []
  const output = { line: () => undefined, complaint: (line: string) => void lines.push(line) }
  t.equal(await explain({ method: 'GET', target: '/', fields: [] }, { upstream: 'ftp://a' }, {}, output), 78)
  t.match(lines, [/^--upstream: /])
})

test('what explain says is what is in force', async (t) => {
  const config = await configOf(FILE.replace('${UP}', 'http://127.0.0.1:3000').replace('${TOKEN}', 'x'))
  const policy = policyOf(config, 'create-charge')
  const said = new Map(originsOf(config.written, 4).map(({ field, value }) => [field, value]))
  t.equal(said.get('idempotency.key'), policy.key)
  t.strictSame(
    ['idempotency.retention', 'idempotency.retention_bounds.min', 'idempotency.retention_bounds.max', 'idempotency.lease', 'retry.deadline', 'retry.linger'].map((field) => parseDuration(said.get(field) ?? '')),
    [policy.retention.defaultMs, policy.retention.minMs, policy.retention.maxMs, policy.leaseMs, policy.deadlineMs, policy.lingerMs],
  )
  t.equal(said.get('idempotency.fingerprint.headers'), `[${policy.fingerprint.headers.join(', ')}]`)
})

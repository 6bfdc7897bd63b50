import { test } from 'tap'
import { configOf, mistakesIn } from '../support/load-text.ts'

test('an empty file says what is needed', async (t) => {
  const { loadConfig } = await import('../../src/config/load.ts')
  for (const text of ['', '# nothing\n', '---\n']) {
    t.match(await loadConfig({ file: { name: 'f.yaml', text }, flags: {}, environment: {} }), { kind: 'faulty', mistakes: [{ file: 'f.yaml', line: 1, field: 'upstream', found: 'nothing' }] })
    t.match(await loadConfig({ file: { name: 'f.yaml', text }, flags: { upstream: 'http://a' }, environment: {} }), { kind: 'loaded' })
  }
})

test('a field that stands twice is a mistake, and the rest is judged all the same', async (t) => {
  t.match(await mistakesIn('listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\nfoo: 1'), [/^2:1: this field stands twice/, /^3:1: foo: there is no such field/])
})

test('two documents in one file are a mistake', async (t) => {
  t.match(await mistakesIn('listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2'), [/^2:1: a second document/])
})

test('a list or a word instead of fields is a mistake', async (t) => {
  t.match(await mistakesIn('- upstream:\nupstream:'), [/not YAML/])
  const { loadConfig } = await import('../../src/config/load.ts')
  for (const text of ['- a', 'a', '"a"', '5', '${A:-x}']) {
    t.match(await loadConfig({ file: { name: 'f.yaml', text }, flags: {}, environment: {} }), { kind: 'faulty', mistakes: [{ line: 1, column: 1 }] }, text)
  }
})

test('broken YAML is told with its place, together with wrong flags', async (t) => {
  t.match(await mistakesIn('routes: [\nlisten: 1', { listen: 'x' }), [/^--listen: found x/, /^2:1: not YAML: /])
})

test('an unquoted variable inside braces is explained', async (t) => {
  t.match(await mistakesIn('admin: { listen: ${A} }', {}, { A: '127.0.0.1:1' }), [/quotes: "\$\{VAR\}"$/])
  t.equal((await configOf('admin: { listen: "${A}" }', {}, { A: '127.0.0.1:1' })).admin.listen.port, 1)
})

test('tags have no meaning', async (t) => {
  t.match(await mistakesIn('service: !env NAME'), [/^1:10: tags/])
})

test('anchors and aliases work, and an alias to nowhere is told', async (t) => {
  const config = await configOf('defaults: &d\n  retry: { deadline: 7s }\nroutes:\n  - name: a\n    match: { path: /a }\n    retry: { deadline: &x 9s, linger: *x }')
  t.equal(config.routes[0]?.action.kind === 'guard' && config.routes[0].action.policy.lingerMs, 9000)
  t.match(await mistakesIn('service: *nowhere'), [/^1:10: the alias \*nowhere/])
  t.match(await mistakesIn('defaults: { retry: &r { deadline: 5 } }\nroutes:\n  - { name: a, match: { path: / }, retry: *r }'), [/^1:35: defaults.retry.deadline: found 5/], 'a mistake behind an alias stands where it is written')
})

test('aliases that multiply or contain themselves end in a mistake', async (t) => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]', ...'bcdefghi'.split('').map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(', ')}]`)].join('\n')
  t.match(await mistakesIn(bomb), [/repeat too much$/])
  t.ok((await mistakesIn('log: &x { level: *x }')).length > 0)
  t.ok((await mistakesIn('routes: &x [*x]')).length > 0)
})

test('variables are put in after parsing, so that no value becomes structure', async (t) => {
  const evil = 'x\nlisten: 0.0.0.0:1 # "'
  t.equal((await configOf('store: { data_dir: "${DIR}" }', {}, { DIR: evil })).store.dataDir, evil)
  t.equal((await configOf('store:\n  data_dir: ${DIR}', {}, { DIR: '{ a: 1 }' })).store.dataDir, '{ a: 1 }')
  t.equal((await configOf('store:\n  data_dir: ${DIR}', {}, { DIR: '~' })).store.dataDir, '~')
})

test('a plain value is read again, a quoted one stays text', async (t) => {
  const environment = { N: '12', YES: 'true' }
  t.equal((await configOf('limits:\n  upstream_connections: ${N}', {}, environment)).limits.upstreamConnections, 12)
  t.equal((await configOf('limits:\n  upstream_connections: 1${N}', {}, environment)).limits.upstreamConnections, 112)
  t.match(await mistakesIn('limits: { upstream_connections: "${N}" }', {}, environment), [/found "\$\{N\}"; needed: a whole number/])
  t.equal((await configOf('service: "${N}"', {}, environment)).service, '12')
  const passes = await configOf('routes:\n  - name: a\n    match: { path: /a }\n    pass: ${YES}', {}, environment)
  t.equal(passes.routes[0]?.action.kind, 'pass')
})

test('a field whose value is empty after substitution is left out', async (t) => {
  const config = await configOf('store:\n  data_dir: ${DIR:-}\ndefaults:\n  idempotency:\n    credential_headers:\n      - authorization\n      - ${MORE:-}')
  t.equal(config.store.dataDir, './data')
  t.match(config.routes[0]?.action, { policy: { scope: { headers: ['authorization'] } } })
})

test('a variable that is not set is named once, and its value is never shown', async (t) => {
  t.strictSame(await mistakesIn('limits:\n  socket_wait: ${WAIT}\n  connect_timeout: ${SECRET}\n  upstream_connections: ${SECRET}', {}, { SECRET: '60' }), [
    '2:16: ${WAIT}: WAIT is not set in the environment; set it, or write ${WAIT:-default}',
    '3:20: limits.connect_timeout: found ${SECRET}; needed: a duration with a unit such as 250ms, 60s, 5m, 24h or 30d',
  ])
  t.match(await mistakesIn('service: ${A:-${B}}'), [/^1:10: found \$\{A:-\$\{B\}\}; needed: \$\{VAR\}/])
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { loadConfig, loadFrom } from '../../src/config/load.ts'
import { formatMistake } from '../../src/config/mistakes.ts'
import { configOf, mistakesIn, policyOf } from '../support/load-text.ts'

const upstream = 'http://127.0.0.1:3000'

test('an upstream alone is enough: keys are optional on POST and PATCH and everything else passes', async (t) => {
  const loaded = await loadConfig({ file: null, flags: { upstream }, environment: {} })
  if (loaded.kind === 'faulty') throw new Error(loaded.mistakes.map(formatMistake).join())
  const { routes, keySpace, accept, written, warnings, ...rest } = loaded.config
  t.strictSame(rest, {
    service: 'default',
    listen: { host: '127.0.0.1', port: 8080 },
    upstream: { origin: upstream },
    upstreamHost: 'preserve',
    trust: { proxies: [], forwarded: 'when-sent' },
    admin: { listen: { host: '127.0.0.1', port: 9901 }, tokens: [] },
    store: { dataDir: './data', embedded: 'auto', postgres: null, redis: null, sealing: [] },
    limits: { requestBodyBytes: 8_388_608, keptReplyBytes: 1_048_576, heldBodiesBytes: 67_108_864, upstreamConnections: 256, socketWaitMs: 5000, connectTimeoutMs: 5000, headerBytes: 16_384, headerCount: 100, targetBytes: 8192, headerTimeMs: 10_000, bodyTimeMs: 30_000, idleTimeMs: 65_000, connections: 10_000, eventLoopDelayMs: 200 },
    shutdownGraceMs: 25_000,
    log: { level: 'info', format: 'auto', successes: 1 },
    tracing: null,
    budgets: new Map([['default', { ratio: 0.2, minPerSecond: 10, windowMs: 10_000, shared: false, maxInFlight: 256 }]]),
    breaker: null,
    sinks: [],
    sources: [],
    operations: { concurrency: 16, attempts: 10, baseMs: 1000, capMs: 300_000, leaseMs: 30_000, quota: 1000, requestBodyBytes: 1_048_576, longestWaitMs: 60_000 },
  })
  t.strictSame(routes.map(({ name, methods, host, path, action }) => [name, methods && [...methods], host, path, action.kind]), [
    ['default', ['POST', 'PATCH'], null, ['*'], 'guard'],
    ['pass-through', null, null, ['*'], 'pass'],
  ])
  t.strictSame(policyOf(loaded.config, 'default'), {
    key: 'optional',
    keyFrom: { kind: 'none' },
    keyHeader: 'first',
    signature: null,
    scope: { kind: 'credential', headers: ['authorization', 'x-api-key'], anonymous: 'share' },
    fingerprint: { version: 2, mode: 'raw', headers: [] },
    retention: { defaultMs: 86_400_000, minMs: 60_000, maxMs: 2_592_000_000 },
    leaseMs: 60_000,
    inFlight: { kind: 'reject' },
    whenUnsure: { kind: 'hold' },
    storeOutage: 'closed',
    claimWithinMs: 5000,
    status: { rules: new Map(), inProgress: [], otherwise: 'final', proofs: [] },
    unknownStatus: 504,
    closeDelimited: 'stream',
    retry: { attempts: 4, backoff: { baseMs: 50, capMs: 2000, jitter: 'full' }, perTryMs: null, budget: 'default' },
    deadlineMs: 30_000,
    deadlineFrom: null,
    deadlineTo: null,
    lingerMs: 300_000,
    accepts: 'off',
    outbox: [],
  })
  t.strictSame(keySpace.routes.map(({ name, filing }) => [name, filing]), [
    ['default', { scope: '{"credential":["authorization","x-api-key"]}', source: null }],
    ['pass-through', null],
  ])
  t.equal(accept.size, 0)
  t.strictSame(written, { upstream, defaults: { idempotency: { anonymous: 'share' } } })
  t.equal(warnings.length, 1)
  t.match(warnings[0], /share one scope/)
})

test('with a file, anonymous requests are refused and nothing is warned of', async (t) => {
  const config = await configOf('')
  t.match(policyOf(config, 'default').scope, { anonymous: 'refuse' })
  t.strictSame(config.warnings, [])
})

test('a flag wins over its variable, and the variable over the file', async (t) => {
  const text = `listen: 127.0.0.1:1\nadmin: { listen: 127.0.0.1:2 }\nstore: { data_dir: a }\nupstream: http://file\n`
  const environment = { ONCEWARD_LISTEN: '127.0.0.1:3', ONCEWARD_ADMIN: '127.0.0.1:4', ONCEWARD_UPSTREAM: 'http://variable', ONCEWARD_DATA_DIR: 'b' }
  const seen = async (flags: object, variables: Record<string, string>) => {
    const config = await configOf(text, flags, variables)
    return [config.listen.port, config.admin.listen.port, config.upstream.origin, config.store.dataDir]
  }
  t.strictSame(await seen({}, {}), [1, 2, 'http://file', 'a'])
  t.strictSame(await seen({}, environment), [3, 4, 'http://variable', 'b'])
  t.strictSame(await seen({ listen: '127.0.0.1:5', admin: '127.0.0.1:6', upstream: 'http://flag', dataDir: 'c' }, environment), [5, 6, 'http://flag', 'c'])
  t.strictSame(await seen({}, { ONCEWARD_LISTEN: '' }), [1, 2, 'http://file', 'a'], 'an empty variable is none')
})

test('without an upstream anywhere, the message names the flag', async (t) => {
  const loaded = await loadConfig({ file: null, flags: {}, environment: {} })
  t.match(loaded, { kind: 'faulty', mistakes: [{ file: '--upstream', line: 0, found: 'nothing' }] })
})

test('a wrong flag is named and shown, a wrong variable is named and not shown', async (t) => {
  t.strictSame(await mistakesIn('', { listen: '8080' }, { ONCEWARD_ADMIN: 'topsecret' }), [
    '--listen: found 8080; needed: an address and a port such as 127.0.0.1:8080 or 0.0.0.0:8080 (write 127.0.0.1:8080)',
    'ONCEWARD_ADMIN: found a value; needed: an address and a port such as 127.0.0.1:8080 or 0.0.0.0:8080',
  ])
  t.strictSame(await mistakesIn('', { dataDir: '' }), ['--data-dir: found nothing; needed: a text'])
})

test('a password in an upstream is refused and not repeated', async (t) => {
  for (const secret of ['http://user:hunter2@host', 'http://hunter2@host', 'http://user:hunt/hunter2@host', `http://user:${'x'.repeat(80)}hunter2@host`]) {
    const [fromFlag = '', ...more] = await mistakesIn('', { upstream: secret })
    const [fromFile = ''] = await mistakesIn(`upstream: ${secret}`)
    const [fromQuotes = ''] = await mistakesIn(`upstream: "${secret}"`)
    t.strictSame(more, [])
    for (const line of [fromFlag, fromFile, fromQuotes]) {
      t.match(line, /no path, query or password/)
      t.notMatch(line, /hunter2|user|xxx/)
    }
  }
})

test('a Postgres is a URL, or a group of fields', async (t) => {
  const store = async (text: string) => (await configOf(`store: { postgres: ${text} }`)).store.postgres
  t.strictSame(await store('"postgres://u:p@db.internal/onceward"'), {
    url: 'postgres://u:p@db.internal/onceward', connections: 4, schema: 'onceward', partitions: 1, migrate: 'at_start', durability: 'replicated', deadlineMs: 5000, prepare: true,
  })
  t.match(await store('{ url: "postgresql://a:1,b:2/d?target_session_attrs=read-write", prepare: false, durability: local, partitions: 16, deadline: 2s, migrate: by_hand, schema: keys }'), {
    url: 'postgresql://a:1,b:2/d?target_session_attrs=read-write', prepare: false, durability: 'local', partitions: 16, deadlineMs: 2000, migrate: 'by_hand', schema: 'keys',
  })
  t.equal((await configOf('store: { postgres: "${NOT_SET:-}" }')).store.postgres, null, 'an empty variable is the embedded store')
  for (const wrong of ['mysql://a/b', 'postgres://', 'postgres://user:hunter2@/db', 'postgres://user:hunter2@a:port/db', 'postgres://user:hunter2@a,/db', 'postgres://user:hunter2@a/db?target_session_attrs=any', 'postgres://user:hunter2@a/d b']) {
    const [line = '', ...more] = await mistakesIn(`upstream: http://a\nstore: { postgres: "${wrong}" }`)
    t.strictSame(more, [], wrong)
    t.match(line, /store.postgres: found .*; needed: a Postgres such as/)
    t.notMatch(line, /hunter2/)
  }
  t.match(await mistakesIn('upstream: http://a\nstore: { postgres: { url: "postgres://a/b", schema: "a; drop" } }'), [/store.postgres.schema: .*needed: 1 to 48/])
})

test('the file is the one that the flag names, else the one of ONCEWARD_CONFIG', async (t) => {
  const dir = t.testdir({ 'a.yaml': 'upstream: http://a', 'b.yaml': 'upstream: http://b', 'latin1.yaml': '', 'folder': {} })
  writeFileSync(join(dir, 'latin1.yaml'), Buffer.from('upstream: http://\xe9', 'latin1'))
  const origin = async (flags: { config?: string, listen?: string }, environment = {}) => {
    const loaded = await loadFrom(flags, environment)
    return loaded.kind === 'loaded' ? loaded.config.upstream.origin : loaded.mistakes.map(formatMistake)
  }
  t.equal(await origin({ config: join(dir, 'a.yaml') }, { ONCEWARD_CONFIG: join(dir, 'b.yaml') }), 'http://a')
  t.equal(await origin({}, { ONCEWARD_CONFIG: join(dir, 'b.yaml') }), 'http://b')
  t.match(await origin({ config: join(dir, 'none.yaml') }), [/none.yaml: there is no such file$/])
  t.match(await origin({ config: join(dir, 'folder') }), [/this is a directory/])
  t.match(await origin({ config: join(dir, 'latin1.yaml') }), [/not UTF-8/])
  t.match(await origin({ config: join(dir, 'none.yaml'), listen: 'x' }), [/no such file/, /^--listen: found x/], 'wrong flags are told in the same run')
})

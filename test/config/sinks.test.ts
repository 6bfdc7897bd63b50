import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { needsRestart } from '../../src/config/restart.ts'
import { configOf, mistakesIn } from '../support/load-text.ts'

const KEY = Buffer.alloc(24, 7).toString('base64')
const HOOK = `hook: { webhook: { url: "https://hooks.example.com/a", secrets: ["whsec_${KEY}"] } }`

test('a webhook with nothing but a URL has every default', async (t) => {
  const { sinks: [hook], warnings } = await configOf('sinks: { hook: { webhook: { url: "https://u:p@hooks.example.com/a?b" } } }')
  t.strictSame(hook, {
    name: 'hook', attempts: 10, baseMs: 1000, capMs: 300_000, onDead: 'block', lanes: 256, concurrency: 64, batch: 1, leaseMs: 10_000,
    catchUp: { aboveMs: 10_000, rate: 500, rampMs: 10_000 },
    receiver: { kind: 'webhook', url: new URL('https://u:p@hooks.example.com/a?b'), secrets: [], timeoutMs: 15_000, allow: [], headers: [] },
  })
  t.match(warnings, [/sinks\.hook\.webhook has no secrets/, /no route has an event for sinks\.hook/])
})

for (const [url, allow, warned] of [
  ['https://10.0.0.5/a', '', true], ['http://127.0.0.1:9/a', '', true], ['http://localhost:9/a', '', true], ['http://[::1]:9/a', '127.0.0.0/8', true],
  ['https://10.0.0.5/a', '10.0.0.0/24', false], ['http://localhost:9/a', '"::1"', false], ['https://8.8.8.8/a', '', false], ['https://hooks.example.com/a', '', false],
] as const) {
  test(`a webhook to ${url} is ${warned ? 'warned of' : 'taken as it is'} where allow has ${allow === '' ? 'nothing' : allow}`, async (t) => {
    const { warnings } = await configOf(`sinks: { hook: { webhook: { url: "${url}", allow: [${allow}] } } }`)
    t.equal(warnings.some((text) => text === 'sinks.hook.webhook.url is an address inside, and allow does not have it: nothing is delivered there'), warned)
  })
}

test('every field of a sink is taken', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'onceward-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const ca = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
  await writeFile(join(folder, 'ca.pem'), ca)
  const { sinks } = await configOf(`
service: charges
sinks:
  log:
    kafka: { brokers: [a:9092, "[::1]:9093"], topic: t, transactional_id: relay, tls: { ca_file: ${join(folder, 'ca.pem')} }, sasl: { mechanism: PLAIN, username: u, password: "\${PW}" }, timeout: 1s }
    attempts: 3
    base: 2s
    cap: 3s
    dead_letters: skip
    lanes: 4
    lease: 1s
    catch_up: { above: 1s, rate: 2, ramp: 3s }
  queue:
    sqs: { queue_url: "https://sqs.eu-central-1.amazonaws.com/1/q.fifo", region: eu-central-1, endpoint: "http://127.0.0.1:4566", credentials: { access_key_id: a, secret_access_key: s } }
    concurrency: 2
    batch: 3
  hook:
    webhook: { url: { plain_http: "http://hooks.internal/a" }, secrets: ["whsec_${KEY}"], allow: [10.0.0.0/8], headers: { x-api-key: k } }
`, {}, { PW: 'pw' })
  t.match(sinks, [
    { name: 'log', attempts: 3, baseMs: 2000, capMs: 3000, onDead: 'skip', lanes: 4, concurrency: 1, batch: 1000, leaseMs: 1000, catchUp: { aboveMs: 1000, rate: 2, rampMs: 3000 } },
    { name: 'queue', concurrency: 2, batch: 3 }, { name: 'hook' },
  ])
  t.strictSame(sinks.map(({ receiver }) => receiver), [
    {
      kind: 'kafka', brokers: [{ host: 'a', port: 9092 }, { host: '::1', port: 9093 }], topic: 't', clientId: 'onceward-charges', transactionalId: 'relay',
      tls: { ca }, sasl: { mechanism: 'PLAIN', username: 'u', password: 'pw' }, timeoutMs: 1000,
    },
    {
      kind: 'sqs', queueUrl: 'https://sqs.eu-central-1.amazonaws.com/1/q.fifo', region: 'eu-central-1', endpoint: 'http://127.0.0.1:4566', timeoutMs: 15_000,
      credentials: { accessKeyId: 'a', secretAccessKey: 's', sessionToken: null },
    },
    {
      kind: 'webhook', url: new URL('http://hooks.internal/a'), secrets: [new Uint8Array(24).fill(7)], timeoutMs: 15_000,
      allow: [{ address: '10.0.0.0', prefix: 8 }], headers: [['x-api-key', 'k']],
    },
  ])
})

test('http is for this machine, for what allow has, and for who says so', async (t) => {
  const of = (url: string, more = '') => mistakesIn(`sinks: { hook: { webhook: { url: ${url}${more} } } }`)
  for (const right of ['"http://127.0.0.1:8/a"', '"http://[::1]/a"', '"http://localhost/a"', '{ plain_http: "http://hooks.internal" }']) t.strictSame(await of(right), [], right)
  t.strictSame(await of('"http://10.1.2.3/a"', ', allow: [10.0.0.0/8]'), [])
  for (const wrong of ['"http://10.1.2.3/tok3n"', '"http://hooks.example.com/tok3n"']) {
    const [mistake = ''] = await of(wrong)
    t.match(mistake, /^1:\d+: sinks\.hook\.webhook\.url: found a text that is not shown; needed: https:\/\//)
    t.notMatch(mistake, /tok3n/)
  }
})

test('what a sink cannot be', async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['{ My_Sink: { webhook: { url: "https://a" } } }', /sinks\.My_Sink: found My_Sink; needed: the name of a sink/],
    ['{ a: { attempts: 3 } }', /sinks\.a: found none; needed: exactly one of webhook, kafka or sqs/],
    ['{ a: { webhook: { url: "https://a" }, sqs: { queue_url: "https://a/q.fifo", region: eu-west-1 } } }', /sinks\.a: found webhook and sqs; needed: exactly one of/],
    ['{ a: { webhok: { url: "https://a" } } }', /sinks\.a\.webhok: there is no such field; did you mean webhook\?/],
    ['{ a: { webhook: {} } }', /sinks\.a\.webhook\.url: found nothing/],
    ['{ a: { webhook: { url: "ftp://x:hunter2@a" } } }', /webhook\.url: found a text that is not shown; needed: where events are posted/],
    ['{ a: { webhook: { url: "https://a/#b" } } }', /webhook\.url: /],
    ['{ a: { webhook: { url: "https://a", secrets: [hunter2] } } }', /webhook\.secrets\[0\]: found a text that is not shown; needed: whsec_/],
    [`{ a: { webhook: { url: "https://a", secrets: ["whsec_${Buffer.alloc(23).toString('base64')}"] } } }`, /24 to 64 bytes/],
    [`{ a: { webhook: { url: "https://a", secrets: ["whsec_${Buffer.alloc(65).toString('base64')}"] } } }`, /24 to 64 bytes/],
    ['{ a: { webhook: { url: "https://a", headers: { webhook-id: hunter2 } } } }', /headers\.webhook-id: found webhook-id; needed: the name of a header that is not written by us/],
    ['{ a: { webhook: { url: "https://a", headers: { x-key: "hunter2\\n" } } } }', /headers\.x-key: found a text that is not shown; needed: the value of a header/],
    ['{ a: { webhook: { url: "https://a", headers: { x-key: 2222 } } } }', /headers\.x-key: found a text that is not shown/],
    ['{ a: { webhook: { url: "https://a" }, batch: 2 } }', /sinks\.a\.batch: found 2; needed: 1, because a webhook has one event/],
    ['{ a: { webhook: { url: "https://a" }, lease: 500ms } }', /sinks\.a\.lease: found 500ms; needed: at least 1s/],
    ['{ a: { webhook: { url: "https://a" }, base: 10m } }', /sinks\.a\.base: found 10m; needed: base at most as long as cap/],
    ['{ a: { sqs: { queue_url: "https://sqs/1/q", region: eu-central-1 } } }', /queue_url: found a text that is not shown; needed: .*\.fifo/],
    ['{ a: { sqs: { queue_url: "https://u:hunter2@sqs/1/q.fifo", region: eu-central-1 } } }', /queue_url: found a text that is not shown/],
    ['{ a: { sqs: { queue_url: "https://sqs/1/q.fifo", region: Frankfurt } } }', /region: found Frankfurt; needed: a region of AWS/],
    ['{ a: { sqs: { queue_url: "https://sqs/1/q.fifo", region: eu-central-1, credentials: { access_key_id: a, secret_access_key: 22 } } } }', /secret_access_key: found a text that is not shown/],
    ['{ a: { sqs: { queue_url: "https://sqs/1/q.fifo", region: eu-central-1 }, batch: 11 } }', /batch: found 11; needed: at most 10/],
    ['{ a: { kafka: { brokers: [broker], topic: t } } }', /brokers\[0\]: found broker; needed: a host and a port.* \(write broker:9092\)/],
    ['{ a: { kafka: { brokers: [], topic: t } } }', /brokers: found an empty list; needed: at least one/],
    ['{ a: { kafka: { brokers: ["a:1"], topic: "a b" } } }', /topic: found "a b"; needed: 1 to 249/],
    ['{ a: { kafka: { brokers: ["a:1"], topic: ".." } } }', /topic: /],
    ['{ a: { kafka: { brokers: ["a:1"], topic: t, tls: { ca_file: /nowhere.pem } } } }', /tls\.ca_file: found \/nowhere\.pem; needed: a file with certificates/],
    ['{ a: { kafka: { brokers: ["a:1"], topic: t, sasl: { mechanism: PLAN, username: u, password: hunter2 } } } }', /sasl\.mechanism: found PLAN; needed: .* \(write PLAIN\)/],
    ['{ a: { kafka: { brokers: ["a:1"], topic: t, sasl: { mechanism: PLAIN, username: u, password: [hunter2] } } } }', /sasl\.password: found a text that is not shown/],
    ['{ a: { kafka: { brokers: ["a:1", "b:1"], topic: t, transactional_id: x } }, b: { kafka: { brokers: ["b:1"], topic: u, transactional_id: x } } }', /sinks\.b\.kafka\.transactional_id: found x; needed: another name than sinks\.a has/],
  ]
  for (const [sinks, expected] of cases) {
    const mistakes = await mistakesIn(`sinks: ${sinks}`)
    t.equal(mistakes.length, 1, `${sinks}: ${mistakes.join('\n')}`)
    t.match(mistakes[0], expected)
    t.notMatch(mistakes.join('\n'), /hunter2|2222/)
  }
})

test('sinks are put in force by a reload', async (t) => {
  const [one, other] = [await configOf(`sinks: { ${HOOK} }`), await configOf('')]
  t.strictSame(needsRestart(one.written, other.written), [])
})

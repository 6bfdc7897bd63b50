import { test } from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { needsRestart } from '../../src/config/restart.ts'
import { formatMistake } from '../../src/config/mistakes.ts'

const UPSTREAM = 'upstream: http://127.0.0.1:3000\n'

async function load(text: string, environment: Readonly<Record<string, string>> = {}) {
  return loadConfig({ file: { name: 'a.yaml', text: `${UPSTREAM}${text}` }, flags: {}, environment })
}

async function mistakesIn(text: string): Promise<string> {
  const loaded = await load(text)
  return loaded.kind === 'faulty' ? loaded.mistakes.map(formatMistake).join('\n') : ''
}

test('a collector, a share and a name are all there is to say', async (t) => {
  const loaded = await load('service: shop\ntracing: { otlp: { url: "http://collector:4318", headers: { api-key: "${KEY}" }, timeout: 2s }, sample: 0.5%, service_name: edge }\nlog: { sample_successes: 25%, format: json }', { KEY: 'hunter2' })
  if (loaded.kind === 'faulty') throw new Error('faulty')
  t.strictSame(loaded.config.tracing, { otlp: { url: 'http://collector:4318/v1/traces', headers: { 'api-key': 'hunter2' }, timeoutMs: 2000 }, ratio: 0.005, serviceName: 'edge', service: 'shop' })
  t.strictSame(loaded.config.log, { level: 'info', format: 'json', successes: 0.25 })
  const short = await load('tracing: { otlp: { url: "https://collector/otlp/traces" } }')
  if (short.kind === 'faulty') throw new Error('faulty')
  t.match(short.config, { tracing: { otlp: { url: 'https://collector/otlp/traces', headers: {}, timeoutMs: 5000 }, ratio: 0.1, serviceName: 'onceward', service: 'default' }, log: { successes: 1, format: 'auto' } })
  t.strictSame(needsRestart(loaded.config.written, short.config.written).filter((path) => path !== 'service'), ['log.format', 'log.sample_successes', 'tracing.otlp.url', 'tracing.otlp.headers', 'tracing.otlp.timeout', 'tracing.sample', 'tracing.service_name'].filter((path) => path !== ''))
})

test('a share has a percent sign, and a collector no credentials in its URL', async (t) => {
  for (const [share, hint] of [['10', '10%'], ['0.1', '10%'], ['101%', ''], ['-1%', ''], ['1e1%', ''], ['10 %', '']] as const) {
    const told = await mistakesIn(`log: { sample_successes: "${share}" }`)
    t.match(told, /log\.sample_successes: .*needed: a share from 0% to 100%/, share)
    if (hint !== '') t.match(told, new RegExp(`write "?${hint}`), share)
  }
  for (const url of ['collector:4318', 'http://user:hunter2@collector:4318/', 'http://collector/v1/traces?key=hunter2', 'grpc://collector']) {
    const told = await mistakesIn(`tracing: { otlp: { url: "${url}" } }`)
    t.match(told, /tracing\.otlp\.url: .*needed: where the collector takes traces/, url)
    t.notMatch(told, /hunter2/)
  }
  t.match(await mistakesIn('tracing: { sample: 10% }'), /tracing\.otlp/)
  for (const name of ['a b', 'Content-Type', 'host', 'ä']) t.match(await mistakesIn(`tracing: { otlp: { url: "http://a", headers: { "${name}": hunter2 } } }`), /tracing\.otlp\.headers.*needed: the name of a header/, name)
  t.notMatch(await mistakesIn('tracing: { otlp: { url: "http://a", headers: { a: "hunter2\\u0007" } } }'), /hunter2/)
})

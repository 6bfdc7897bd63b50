import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { request } from 'undici'
import { Metrics } from '../../src/telemetry/metrics.ts'
import { send, startForTest, type Running } from '../support/start-sidecar.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { needs } from '../support/services/needs.ts'
import { startRedis } from '../support/services/redis.ts'

const PAGE = readFileSync(fileURLToPath(new URL('../../docs/observability.md', import.meta.url)), 'utf8')
/** Those of node and of the process are prom-client's. */
const OURS = /^(?!process_|nodejs_)/

interface Listed { readonly type: string, readonly labels: readonly string[] }

async function scraped(sidecar: Running, accept = 'text/plain'): Promise<string> {
  return await (await request(`${sidecar.adminAddress}/metrics`, { headers: { accept } })).body.text()
}

function seriesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.replace(/ [^ }]+$/, '')).filter((name) => OURS.test(name))
}

function documented(): Map<string, Listed> {
  return new Map([...PAGE.matchAll(/^\| `([a-z_]+)` \| (\w+) \|([^|]*)\|/gm)].map(([, name = '', type = '', labels = '']) => [name, { type, labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label).sort() }]))
}

test('docs/observability.md lists what a sidecar shows, with types and labels', async (t) => {
  needs(t, 'redis')
  const redis = await startRedis(t)
  const sidecar = await startForTest(t, 'http://127.0.0.1:1', { yaml: `
service: metrics
store: { redis: { url: "${redis.url}" } }
sinks: { hook: { webhook: { url: "https://hooks.example.com/" } } }
routes: [{ name: charge, match: { method: POST, path: /charge } }]` })
  const text = await scraped(sidecar)
  const listed = documented()
  const shown = new Map([...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)].filter(([, name = '']) => OURS.test(name)).map(([, name = '', type = '']) => [name, type]))
  t.ok(shown.size > 40)
  t.strictSame([...listed.keys()].sort(), [...shown.keys()].sort())
  for (const [name, type] of shown) t.equal(listed.get(name)?.type, type, name)
  for (const series of new Set(seriesOf(text))) {
    const [, base = '', labels = ''] = /^([a-z_]+)(?:\{(.*)\})?$/.exec(series) ?? []
    const { labels: wanted } = listed.get(base) ?? listed.get(base.replace(/_(bucket|sum|count)$/, '')) ?? { labels: [`${base} is not listed`] }
    t.strictSame([...labels.matchAll(/(\w+)="/g)].map(([, label = '']) => label).filter((label) => label !== 'le').sort(), wanted, series)
  }
})

test('a request whose client has it recorded is an example, and no other one is', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: `
routes:
  - { name: charge, match: { path: /charge } }
  - { name: rest, match: { path: "/*" }, pass: true }` })
  const sent = async (key: string | null, path: string, flags: string): Promise<string> => {
    const traceId = `${flags}${path.length}`.padStart(32, 'a')
    t.equal((await send(sidecar.address, key, { method: 'POST', path, headers: ['Authorization', 'Bearer one', 'traceparent', `00-${traceId}-00000000000000a1-${flags}`], body: '' })).status, 200)
    return traceId
  }
  const guarded = await sent('k1', '/charge', '01')
  await sent('k2', '/charge', '00')
  const passed = await sent(null, '/other', '01')
  const text = await scraped(sidecar, 'application/openmetrics-text')
  t.strictSame([...text.matchAll(/^(\w+)\{.*route="(\w+)".*\} \d+ # \{trace_id="(\w+)"\}/gm)].map(([, ...found]) => found), [
    ['idempotency_key_total', 'charge', guarded], ['onceward_request_seconds_bucket', 'charge', guarded], ['onceward_request_seconds_bucket', 'rest', passed],
  ])
})

test('100,000 requests that differ in method, status, time and trace leave the series as they are', async (t) => {
  const metrics = new Metrics(['charge'], () => 0)
  const before = seriesOf((await metrics.render()).text)
  for (let n = 0; n < 100_000; n += 1) {
    const traceId = n.toString(16).padStart(32, '0')
    metrics.answered(100 + n % 900, `METHOD-${n}`, 'charge')
    metrics.key('new', 'charge', traceId)
    metrics.took('request', n, 'charge', traceId)
  }
  t.strictSame(seriesOf((await metrics.render()).text), before)
  t.match((await metrics.render()).text, /http_request_outcome\{class="4xx",method="other",route="charge"\} \d+/)
})

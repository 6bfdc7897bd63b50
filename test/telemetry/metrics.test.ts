import { test } from 'tap'
import { Metrics } from '../../src/telemetry/metrics.ts'

const series = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))

test('every series is there at 0 before anything happened', async (t) => {
  const { type, text } = await new Metrics(['charge', 'rest'], () => 0).render()
  t.match(type, /^text\/plain; version=0\.0\.4/)
  for (const line of [
    'idempotency_key_total{outcome="new",route="charge"} 0', 'idempotency_key_total{outcome="unavailable",route="rest"} 0',
    'retry_attempt_total{attempt="4+",route="charge"} 0', 'retry_delay_seconds_bucket{le="30",route="charge"} 0', 'retry_delay_seconds_count{route="rest"} 0',
    'outbox_lag_seconds{sink="none"} 0', 'dead_letter_queue_depth{sink="none"} 0',
    'http_request_outcome{class="timeout",method="POST",route="charge"} 0',
  ]) t.ok(text.includes(`${line}\n`), line)
})

test('counting adds, and scraping twice changes nothing', async (t) => {
  const metrics = new Metrics(['charge'], () => 5000)
  metrics.key('replay', 'charge', null)
  metrics.key('replay', 'charge', null)
  metrics.answered(201, 'POST', 'charge')
  metrics.answered(504, 'POST', 'charge')
  const { text } = await metrics.render()
  t.ok(text.includes('idempotency_key_total{outcome="replay",route="charge"} 2\n'))
  t.ok(text.includes('http_request_outcome{class="2xx",method="POST",route="charge"} 1\n'))
  t.ok(text.includes('http_request_outcome{class="timeout",method="POST",route="charge"} 1\n'))
  t.ok(text.includes('http_request_outcome{class="5xx",method="POST",route="charge"} 0\n'), 'a 504 counts as timeout only')
  t.equal((await metrics.render()).text, text)
})

test('no client can add a series', async (t) => {
  const metrics = new Metrics(['charge'], () => 5000)
  const before = series((await metrics.render()).text).length
  for (let i = 0; i < 1000; i += 1) metrics.answered(100 + i, `METHOD${i}`, 'charge')
  t.equal(series((await metrics.render()).text).length, before)
})

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

test('in OpenMetrics a request in a trace is the example of what it counted for, and the latest one is', async (t) => {
  const metrics = new Metrics(['charge'], () => 5000)
  metrics.key('mismatch', 'charge', TRACE.replace('4', '5'))
  metrics.key('mismatch', 'charge', TRACE)
  metrics.took('request', 3, 'charge', TRACE)
  metrics.took('request', 4, 'charge', null)
  metrics.took('claim', 2, 'charge', null)
  const { type, text } = await metrics.render('application/openmetrics-text;version=1.0.0')
  t.equal(type, 'application/openmetrics-text; version=1.0.0; charset=utf-8')
  for (const line of [
    `idempotency_key_total{outcome="mismatch",route="charge"} 2 # {trace_id="${TRACE}"} 1 5.000`, 'idempotency_key_total{outcome="new",route="charge"} 0',
    'onceward_request_seconds_bucket{route="charge",le="0.0025"} 0', `onceward_request_seconds_bucket{route="charge",le="0.005"} 2 # {trace_id="${TRACE}"} 0.003 5.000`,
    'onceward_request_seconds_bucket{route="charge",le="+Inf"} 2', 'onceward_request_seconds_count{route="charge"} 2', 'onceward_request_seconds_sum{route="charge"} 0.007',
    'onceward_claim_seconds_count{route="charge"} 1', 'onceward_upstream_seconds_count{route="charge"} 0',
    '# TYPE http_request_outcome unknown', 'http_request_outcome{class="2xx",method="POST",route="charge"} 0', '# TYPE idempotency_key counter', '# TYPE retry_delay_seconds histogram',
  ]) t.ok(text.includes(`${line}\n`), line)
  t.ok(text.endsWith('# EOF\n'))
  const plain = (await metrics.render('text/plain')).text
  t.notMatch(plain, /trace_id|EOF/)
  t.strictSame(series(plain), series(text).map((line) => line.split(' # ', 1)[0]), 'the same series, by the same names, with the same values')
})

test('what a store does is timed by its own statements', async (t) => {
  const metrics = new Metrics([], () => 0)
  metrics.statements(['claim', 'complete'])
  metrics.storeTook('claim', 40_000)
  const { text } = await metrics.render()
  for (const line of ['onceward_store_seconds_bucket{operation="claim",le="30"} 0', 'onceward_store_seconds_bucket{operation="claim",le="+Inf"} 1', 'onceward_store_seconds_count{operation="complete"} 0']) t.ok(text.includes(`${line}\n`), line)
})

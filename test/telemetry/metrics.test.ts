import { test } from 'tap'
import { Metrics } from '../../src/telemetry/metrics.ts'

const series = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))

test('every series is there at 0 before anything happened', async (t) => {
  const { type, text } = await new Metrics(['charge', 'rest']).render()
  t.match(type, /^text\/plain; version=0\.0\.4/)
  for (const line of [
    'idempotency_key_total{outcome="new",route="charge"} 0', 'idempotency_key_total{outcome="unavailable",route="rest"} 0',
    'retry_attempt_total{attempt="4+",route="charge"} 0', 'retry_delay_seconds_bucket{le="30",route="charge"} 0', 'retry_delay_seconds_count{route="rest"} 0',
    'outbox_lag_seconds{sink="none"} 0', 'dead_letter_queue_depth{sink="none"} 0',
    'http_request_outcome{class="timeout",method="POST",route="charge"} 0',
  ]) t.ok(text.includes(`${line}\n`), line)
})

test('counting adds, and scraping twice changes nothing', async (t) => {
  const metrics = new Metrics(['charge'])
  metrics.key('replay', 'charge')
  metrics.key('replay', 'charge')
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
  const metrics = new Metrics(['charge'])
  const before = series((await metrics.render()).text).length
  for (let i = 0; i < 1000; i += 1) metrics.answered(100 + i, `METHOD${i}`, 'charge')
  t.equal(series((await metrics.render()).text).length, before)
})

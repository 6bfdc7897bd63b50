import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { Metrics } from '../src/telemetry/metrics.ts'
import { findPromtool, needs } from './support/services/needs.ts'

const RULES = fileURLToPath(new URL('../config/prometheus/alerts.yml', import.meta.url))

test('every series that an alert is about is one that we have', async (t) => {
  const metrics = new Metrics(['charges'], () => 0)
  metrics.observe('onceward_breaker_state', 'As compose.ts registers it.', () => 0)
  metrics.relay.sinks(['hook'])
  const { text } = await metrics.render()
  const expressions = [...readFileSync(RULES, 'utf8').matchAll(/expr: (?:\|\n((?: {10,}.*\n)+)|(.*)\n)/g)].map(([, block, line]) => block ?? line ?? '')
  t.ok(expressions.length >= 6)
  const names = new Set(expressions.flatMap((expression) => expression.match(/\b(?:onceward|retry|idempotency|http|outbox|dead)_[a-z_]+\b/g) ?? []))
  t.ok(names.size >= 6)
  for (const name of names) t.ok(new RegExp(`^${name}[{ ]`, 'm').test(text), name)
})

test('Prometheus accepts the alerting rules', async (t) => {
  needs(t, 'promtool')
  const { status, stdout, stderr } = spawnSync(findPromtool() ?? '', ['check', 'rules', RULES], { encoding: 'utf8', timeout: 30_000 })
  t.equal(status, 0, `${stdout}${stderr}`)
  t.match(stdout, /SUCCESS: 11 rules found/)
})

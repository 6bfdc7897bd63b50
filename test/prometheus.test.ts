import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test, type Test } from 'tap'
import { parse } from 'yaml'
import { CASES, HEALTHY } from './support/alert-cases.ts'
import { findPromtool, needs } from './support/services/needs.ts'

const RULES = ['rules.yml', 'alerts.yml'].map((name) => fileURLToPath(new URL(`../config/prometheus/${name}`, import.meta.url)))
const RUNBOOKS = readFileSync(fileURLToPath(new URL('../docs/runbooks.md', import.meta.url)), 'utf8')

interface Rule {
  readonly alert: string
  readonly labels: { readonly severity: string }
  readonly annotations: Readonly<Record<string, string>>
}

const ALERTS = (parse(readFileSync(RULES[1] ?? '', 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules)
const NAMES = ALERTS.map(({ alert }) => alert)

interface Series { readonly series: string, readonly values: string }

/** Virtual time: promtool replays the series and says at each moment what fires. */
function replayed(t: Test, tests: readonly { readonly series: readonly Series[], readonly asks: readonly { readonly at: string, readonly alert: string, readonly firing: number }[] }[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'onceward-alerts-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'tests.yml')
  writeFileSync(file, JSON.stringify({
    rule_files: RULES, evaluation_interval: '1m',
    tests: tests.map(({ series, asks }) => ({
      interval: '1m', input_series: series,
      promql_expr_test: asks.map(({ at, alert, firing }) => ({
        expr: `count by (alertname) (ALERTS{alertname="${alert}", alertstate="firing"})`, eval_time: at,
        exp_samples: firing === 0 ? [] : [{ labels: `{alertname="${alert}"}`, value: firing }],
      })),
    })),
  }))
  const { status, stdout, stderr } = spawnSync(findPromtool() ?? '', ['test', 'rules', file], { encoding: 'utf8', timeout: 60_000 })
  return status === 0 ? '' : `${stdout}${stderr}`
}

test('each alert fires when it should', (t) => {
  needs(t, 'promtool')
  t.strictSame(Object.keys(CASES).sort(), [...NAMES].sort())
  for (const [alert, { fires, at, firing = 1 }] of Object.entries(CASES)) t.equal(replayed(t, [{ series: fires, asks: [{ at, alert, firing }] }]), '', alert)
  t.end()
})

test('each alert is quiet just short of that', (t) => {
  needs(t, 'promtool')
  for (const [alert, { quiet, at }] of Object.entries(CASES)) {
    t.ok(quiet.length > 0, alert)
    t.equal(replayed(t, quiet.map((series) => ({ series, asks: [{ at, alert, firing: 0 }] }))), '', alert)
  }
  t.end()
})

test('in a healthy hour of two processes nothing fires', (t) => {
  needs(t, 'promtool')
  t.equal(replayed(t, [{ series: HEALTHY, asks: ['5m', '20m', '40m', '60m'].flatMap((at) => NAMES.map((alert) => ({ at, alert, firing: 0 }))) }]), '')
  t.end()
})

test('each alert has its runbook, and there are no others', (t) => {
  const sections = new Map([...RUNBOOKS.matchAll(/^## (\w+)\n([^]*?)(?=^## |(?![^]))/gm)].map(([, name = '', text = '']) => [name, text]))
  t.strictSame([...sections.keys()].sort(), [...NAMES].sort())
  for (const [name, text] of sections) for (const part of ['**It means**', '**Look at**', '**Do**']) t.ok(text.includes(part), `${name} ${part}`)
  for (const { alert, labels, annotations } of ALERTS) {
    t.ok(['page', 'critical', 'warning', 'info'].includes(labels.severity), alert)
    t.ok(annotations['summary'] !== undefined && annotations['description'] !== undefined, alert)
    t.equal(annotations['runbook'], `docs/runbooks.md#${alert.toLowerCase()}`)
  }
  t.end()
})

test('every series that a rule is about is one that we have, with the labels that it is asked for', (t) => {
  const page = readFileSync(fileURLToPath(new URL('../docs/observability.md', import.meta.url)), 'utf8') // test/e2e/metrics.test.ts compares it with a sidecar
  const listed = new Map([...page.matchAll(/^\| `([a-z_]+)` \| \w+ \|([^|]*)\|/gm)].map(([, name = '', labels = '']) => [name, [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label)]))
  const groups = RULES.flatMap((file) => (parse(readFileSync(file, 'utf8')) as { groups: { rules: { expr: string, record?: string }[] }[] }).groups)
  const recorded = groups.flatMap(({ rules }) => rules.flatMap(({ record }) => record ?? []))
  let looked = 0
  for (const { expr } of groups.flatMap(({ rules }) => rules)) {
    for (const [, name = '', selector = ''] of expr.matchAll(/\b((?:onceward|retry|idempotency|http|outbox|dead)[a-z0-9_:]*[a-z0-9])(?:\{([^}]*)\})?/g)) {
      if (recorded.includes(name)) continue
      const labels = listed.get(name) ?? listed.get(name.replace(/_(bucket|count|sum)$/, ''))
      t.ok(labels !== undefined, name)
      for (const [, label = ''] of selector.matchAll(/(\w+)=/g)) t.ok(label === 'le' || labels?.includes(label), `${name} by ${label}`)
      looked += 1
    }
  }
  t.ok(looked > 30)
  t.end()
})

test('Prometheus accepts the rules', (t) => {
  needs(t, 'promtool')
  const { status, stdout, stderr } = spawnSync(findPromtool() ?? '', ['check', 'rules', ...RULES], { encoding: 'utf8', timeout: 30_000 })
  t.equal(status, 0, `${stdout}${stderr}`)
  t.end()
})

import fc from 'fast-check'
import { test } from 'tap'
import { formatFor, textOf } from '../../src/telemetry/exposition.ts'
import type { Family } from '../../src/telemetry/family.ts'

/** What Prometheus sends, from 2.5 to 3. */
const PROMETHEUS = 'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1'

test('the format is the one that is liked better', (t) => {
  for (const accept of [PROMETHEUS, 'application/openmetrics-text', 'Application/OpenMetrics-Text; Version="1.0.0"', 'text/plain;q=0.5, application/openmetrics-text', 'application/*, text/plain;q=0.9', 'application/openmetrics-text; version=0.0.1']) {
    t.equal(formatFor(accept), 'openmetrics', accept)
  }
  for (const accept of [undefined, '', '*/*', 'text/plain', 'text/html, */*;q=0.8', 'application/openmetrics-text;q=0, */*', 'application/openmetrics-text;q=0.5, text/plain', 'application/openmetrics-text;version=2.0.0', 'application/openmetrics-text;q=2', 'application/openmetrics-text, text/plain']) {
    t.equal(formatFor(accept), 'prometheus', String(accept))
  }
  fc.assert(fc.property(fc.string(), (accept) => ['prometheus', 'openmetrics'].includes(formatFor(accept))))
  t.end()
})

const ONE: Family = {
  name: 'things_total', help: 'With a "quote", a \\ and\na line.', type: 'counter',
  samples: [{ name: 'things_total', labels: { name: 'a "b" \\ \n' }, value: 1e21, example: { traceId: 'abc', value: 0.25, at: 1.5 } }, { name: 'things_total', labels: {}, value: Number.POSITIVE_INFINITY, example: null }],
}

test('what stands in a text is escaped as its format has it', (t) => {
  t.equal(textOf([ONE], 'prometheus'), '# HELP things_total With a "quote", a \\\\ and\\na line.\n# TYPE things_total counter\nthings_total{name="a \\"b\\" \\\\ \\n"} 1e+21\nthings_total +Inf\n')
  t.equal(textOf([ONE], 'openmetrics'), '# HELP things With a \\"quote\\", a \\\\ and\\na line.\n# TYPE things counter\nthings_total{name="a \\"b\\" \\\\ \\n"} 1e+21 # {trace_id="abc"} 0.25 1.500\nthings_total +Inf\n# EOF\n')
  t.end()
})

test('a counter that OpenMetrics would rename is of unknown type there, and a gauge has no example', (t) => {
  const [sample] = ONE.samples
  if (sample === undefined) throw new Error('there is one')
  const outcome: Family = { ...ONE, name: 'outcome', samples: [{ ...sample, name: 'outcome', labels: {} }] }
  t.equal(textOf([{ ...outcome, help: 'x' }], 'openmetrics'), '# HELP outcome x\n# TYPE outcome unknown\noutcome 1e+21\n# EOF\n')
  t.equal(textOf([{ ...outcome, help: 'x', type: 'gauge' }], 'openmetrics'), '# HELP outcome x\n# TYPE outcome gauge\noutcome 1e+21\n# EOF\n')
  t.end()
})

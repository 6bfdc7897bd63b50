import { test } from 'tap'
import { Metrics } from '../../src/telemetry/metrics.ts'

const seriesOf = async (metrics: Metrics): Promise<string[]> => (await metrics.render()).text.split('\n').filter((line) => line.startsWith('onceward_mismatches_total{'))

test('a mismatch is counted for its client, its part and its route', async (t) => {
  const metrics = new Metrics(['charge'], () => 5000)
  metrics.mismatch('acme-sdk/4.2.0', 'body', 'charge')
  metrics.mismatch('acme-sdk/4.2.0', 'body', 'charge')
  t.ok((await seriesOf(metrics)).includes('onceward_mismatches_total{client="acme-sdk/4.2.0",part="body",route="charge"} 2'))
})

test('a hundred thousand clients have 32 names and other, and those that were first keep theirs', async (t) => {
  const metrics = new Metrics(['charge'], () => 5000)
  for (let i = 0; i < 100_000; i += 1) metrics.mismatch(`sdk/${i}`, 'body', 'charge')
  metrics.mismatch('sdk/0', 'body', 'charge')
  const clients = new Map((await seriesOf(metrics)).flatMap((line) => [...line.matchAll(/client="([^"]+)",part="body".* (\d+)$/g)].map((found) => [found[1], Number(found[2])] as const)))
  t.equal(clients.size, 33 + 1, 'none is there from the beginning')
  t.equal(clients.get('sdk/0'), 2)
  t.equal(clients.get('other'), 100_000 - 32)
})

test('other and none are there at 0 before anything happened', async (t) => {
  const series = await seriesOf(new Metrics(['charge'], () => 5000))
  for (const client of ['other', 'none']) for (const part of ['method', 'path', 'header', 'body', 'other']) t.ok(series.includes(`onceward_mismatches_total{client="${client}",part="${part}",route="charge"} 0`))
})

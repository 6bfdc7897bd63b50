import { test } from 'tap'
import { Metrics } from '../../src/telemetry/metrics.ts'

test('a configured sink has all of its series before anything happened', async (t) => {
  const metrics = new Metrics(['charge'], () => 0)
  metrics.relay.sinks(['hook'])
  const { text } = await metrics.render()
  for (const line of [
    'onceward_deliveries_total{sink="hook",outcome="delivered"} 0', 'onceward_deliveries_total{sink="hook",outcome="dead"} 0', 'onceward_late_redeliveries_total{sink="hook"} 0',
    'onceward_relay_leader{sink="hook"} 0', 'onceward_relay_catch_up_rate{sink="hook"} 0', 'onceward_sink_paused{sink="hook"} 0', 'onceward_delivery_seconds_count{sink="hook"} 0',
  ]) t.ok(text.includes(`${line}\n`), line)
})

test('lag and dead letters are read when somebody scrapes, and absent while the store does not say', async (t) => {
  const metrics = new Metrics(['charge'], () => 0)
  let counted: readonly { readonly sink: string, readonly lagMs: number, readonly dead: number }[] | null = [{ sink: 'hook', lagMs: 1500, dead: 2 }, { sink: 'gone', lagMs: 0, dead: 1 }]
  metrics.relay.readFrom(() => Promise.resolve(counted))
  t.match((await metrics.render()).text, /outbox_lag_seconds\{sink="hook"\} 1\.5\n/)
  t.match((await metrics.render()).text, /dead_letter_queue_depth\{sink="gone"\} 1\n/)
  counted = null
  t.notMatch((await metrics.render()).text, /outbox_lag_seconds\{|dead_letter_queue_depth\{/)
  counted = []
  t.match((await metrics.render()).text, /outbox_lag_seconds\{sink="none"\} 0\n/)
})

test('what relays count is shown by sink', async (t) => {
  const { relay, render } = bound(new Metrics(['charge'], () => 0))
  relay.sinks(['hook'])
  relay.delivered('hook', 'delivered', 3)
  relay.sentLate('hook', 2)
  relay.leads('hook', true)
  relay.catchingUp('hook', 50)
  relay.paused('hook', 'disabled')
  relay.took('hook', 20)
  const text = await render()
  for (const line of [
    'onceward_deliveries_total{sink="hook",outcome="delivered"} 3', 'onceward_late_redeliveries_total{sink="hook"} 2', 'onceward_relay_leader{sink="hook"} 1',
    'onceward_relay_catch_up_rate{sink="hook"} 50', 'onceward_sink_paused{sink="hook"} 2', 'onceward_delivery_seconds_bucket{le="0.025",sink="hook"} 1',
  ]) t.ok(text.includes(`${line}\n`), line)
  relay.catchingUp('hook', null)
  t.ok((await render()).includes('onceward_relay_catch_up_rate{sink="hook"} 0\n'))
})

function bound(metrics: Metrics) {
  return { relay: metrics.relay, render: async () => (await metrics.render()).text }
}

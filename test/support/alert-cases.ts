/*
 * What makes each alert fire, and what comes just short of it, as series of promtool: `a+bxn` begins at a and rises by b in each of n minutes.
 */

export interface Series { readonly series: string, readonly values: string }

export interface AlertCase {
  readonly fires: readonly Series[]
  /** when it does, and the quiet ones are looked at */
  readonly at: string
  /** how many of it fire; 1 where nothing is said */
  readonly firing?: number
  readonly quiet: readonly (readonly Series[])[]
}

const one = (name: string, labels: string, values: string, instance = 'a:9901'): Series => ({ series: `${name}{job="onceward",instance="${instance}"${labels === '' ? '' : `,${labels}`}}`, values })
const gauge = (name: string, labels: string, value: number): Series => one(name, labels, `${value}x1600`)
const posts = (perMinute: number): Series => one('http_request_outcome', 'class="2xx",method="POST",route="charge"', `0+${perMinute}x1600`)
const mismatches = (values: string): Series => one('idempotency_key_total', 'outcome="mismatch",route="charge"', values)
const third = (values: string): Series => one('retry_attempt_total', 'attempt="3",route="charge"', values)
const lag = (value: number): Series => gauge('outbox_lag_seconds', 'sink="hook"', value)
const answered = (kind: string, perMinute: number): Series => one('http_request_outcome', `class="${kind}",method="POST",route="charge"`, `0+${perMinute}x1600`)
const refusedRetries = (reason: string, perMinute: number): Series => one('onceward_retries_refused_total', `reason="${reason}"`, `0+${perMinute}x1600`)

/** How many delays a minute were at most so long. */
function delays(upTo: Readonly<Record<string, number>>): readonly Series[] {
  return [...Object.entries(upTo).map(([le, perMinute]) => one('retry_delay_seconds_bucket', `route="charge",le="${le}"`, `0+${perMinute}x1600`)), one('retry_delay_seconds_count', 'route="charge"', `0+${upTo['+Inf'] ?? 0}x1600`)]
}

/** Two waves: four of ten at once, five of ten after 30 s. */
const WAVES = { '0.1': 4, '28': 5, '32': 10, '+Inf': 10 }

export const CASES: Readonly<Record<string, AlertCase>> = {
  OncewardMismatches: {
    fires: [posts(1000), mismatches('0+2x1600')], at: '20m',
    quiet: [[posts(1000), mismatches('0+0.5x1600')], [posts(10), mismatches('0 0 0 0 0 1x1600')], [posts(1000), mismatches('0x1600')]],
  },
  OncewardClientReusesKeys: {
    fires: [
      one('onceward_mismatches_total', 'client="acme-sdk/4.2.0",part="body",route="charge"', '_x15 1x60'), one('onceward_mismatches_total', 'client="other",part="body",route="charge"', '0x15 2x60'),
      one('onceward_mismatches_total', 'client="acme-sdk/4.1.9",part="body",route="charge"', '7x75'), one('onceward_mismatches_total', 'client="none",part="body",route="charge"', '0x75'),
    ],
    at: '18m', firing: 2,
    quiet: [[one('onceward_mismatches_total', 'client="acme-sdk/4.1.9",part="body",route="charge"', '7x75')], [one('onceward_mismatches_total', 'client="none",part="body",route="charge"', '0x75')]],
  },
  OncewardThirdRetries: {
    fires: [third('0+1x1440 1440+60x160')], at: '1470m',
    quiet: [[third('0+60x1600')], [third('0+1x1440 1440+5x160')]],
  },
  OncewardDelaysUnjittered: {
    fires: delays(WAVES), at: '30m',
    quiet: [delays({ '0.1': 1, '28': 9, '32': 10, '+Inf': 10 }), delays({ '0.1': 10, '28': 10, '32': 10, '+Inf': 10 }), delays({ '0.1': 0.04, '28': 0.05, '32': 0.1, '+Inf': 0.1 })],
  },
  OncewardServerErrors: { fires: [answered('2xx', 90), answered('5xx', 10)], at: '20m', quiet: [[answered('2xx', 96), answered('5xx', 4)], [answered('2xx', 1), answered('5xx', 1)], [answered('2xx', 50), answered('timeout', 50)]] },
  OncewardTimeouts: { fires: [answered('2xx', 95), answered('timeout', 5)], at: '20m', quiet: [[answered('2xx', 99), answered('timeout', 1)], [answered('2xx', 1), answered('timeout', 1)], [answered('2xx', 50), answered('5xx', 50)]] },
  OncewardConfigRefused: { fires: [gauge('onceward_config_last_reload_successful', '', 0)], at: '5m', quiet: [[gauge('onceward_config_last_reload_successful', '', 1)]] },
  OncewardRedisLeftAlone: { fires: [gauge('onceward_redis_circuit_open', '', 1)], at: '10m', quiet: [[gauge('onceward_redis_circuit_open', '', 0)], [one('onceward_redis_circuit_open', '', '1x3 0x20')], [gauge('onceward_in_flight_keys', '', 1)]] },
  OncewardBehindWithItsWork: { fires: [gauge('onceward_event_loop_delay_seconds', '', 0.15)], at: '10m', quiet: [[gauge('onceward_event_loop_delay_seconds', '', 0.05)], [one('onceward_event_loop_delay_seconds', '', '0.3x3 0.01x20')]] },
  OncewardLimitReached: { fires: [one('onceward_limit_reached_total', 'limit="connections"', '0+10x1600')], at: '15m', quiet: [[one('onceward_limit_reached_total', 'limit="connections"', '0+5x1600')]] },
  OncewardKeysUnguarded: { fires: [one('onceward_unguarded_keyed_requests_total', 'route="rest"', '0+1x1600')], at: '20m', quiet: [[one('onceward_unguarded_keyed_requests_total', 'route="rest"', '0x1600')]] },
  OncewardOutboxWaits: { fires: [lag(40), one('outbox_lag_seconds', 'sink="hook"', '0x1600', 'b:9901')], at: '5m', quiet: [[lag(25)], [one('outbox_lag_seconds', 'sink="hook"', '40 0x20')]] },
  OncewardOutboxUnknown: { fires: [gauge('onceward_build_info', 'version="1"', 1)], at: '10m', quiet: [[gauge('onceward_build_info', 'version="1"', 1), lag(0)], [gauge('onceward_build_info', 'version="1"', 1), one('outbox_lag_seconds', 'sink="hook"', '0x1600', 'b:9901')]] },
  OncewardCatchingUpForLong: { fires: [gauge('onceward_relay_catch_up_rate', 'sink="hook"', 500)], at: '40m', quiet: [[one('onceward_relay_catch_up_rate', 'sink="hook"', '500x20 0x40')]] },
  OncewardDeadLettersGrow: { fires: [one('dead_letter_queue_depth', 'sink="hook"', '3x10 4x60')], at: '15m', quiet: [[gauge('dead_letter_queue_depth', 'sink="hook"', 3)], [one('dead_letter_queue_depth', 'sink="hook"', '4x10 1x60')]] },
  OncewardSourceNotRead: { fires: [gauge('onceward_source_state', 'source="orders"', 0)], at: '10m', quiet: [[gauge('onceward_source_state', 'source="orders"', 0), one('onceward_source_state', 'source="orders"', '1x1600', 'b:9901')], [gauge('onceward_source_state', 'source="orders"', 2)]] },
  OncewardSourceWaits: { fires: [gauge('onceward_source_lag_seconds', 'source="orders"', 90)], at: '10m', quiet: [[gauge('onceward_source_lag_seconds', 'source="orders"', 50)]] },
  OncewardSourceGapsPassed: { fires: [one('onceward_source_passed_gaps_total', 'source="orders"', '0x8 1x60')], at: '12m', quiet: [[one('onceward_source_passed_gaps_total', 'source="orders"', '1x60')]] },
  OncewardGone: { fires: [gauge('something_else', '', 1)], at: '10m', quiet: [[gauge('onceward_build_info', 'version="1"', 1)]] },
  OncewardUncertainKeys: { fires: [gauge('onceward_uncertain_keys', '', 2), one('onceward_uncertain_keys', '', '2x1600', 'b:9901')], at: '15m', quiet: [[gauge('onceward_uncertain_keys', '', 0)], [one('onceward_uncertain_keys', '', '2x6 0x60')]] },
  OncewardUncertainKeysRising: { fires: [one('onceward_uncertain_keys', '', '0+3x1600')], at: '30m', quiet: [[one('onceward_uncertain_keys', '', '0+1x1600')], [gauge('onceward_uncertain_keys', '', 100)]] },
  OncewardProbesUnclear: { fires: [one('onceward_probes_total', 'result="unclear",route="charge"', '0+1x1600')], at: '50m', quiet: [[one('onceward_probes_total', 'result="unclear",route="charge"', '0+1x1600'), one('onceward_probes_total', 'result="found",route="charge"', '0+1x1600')]] },
  OncewardRetryBudgetExhausted: { fires: [refusedRetries('no-budget', 2)], at: '15m', quiet: [[refusedRetries('no-budget', 0), refusedRetries('no-attempts', 50)]] },
  OncewardManyRetries: { fires: [third('0+60x1600'), one('idempotency_key_total', 'outcome="new",route="charge"', '0+100x1600')], at: '30m', quiet: [[third('0+9x1600'), one('idempotency_key_total', 'outcome="new",route="charge"', '0+100x1600')]] },
  OncewardBreakerOpen: { fires: [gauge('onceward_breaker_state', '', 2)], at: '5m', quiet: [[gauge('onceward_breaker_state', '', 0)]] },
  OncewardSentUnprotected: { fires: [one('onceward_fail_open_total', 'route="charge"', '0x5 1x60')], at: '8m', quiet: [[one('onceward_fail_open_total', 'route="charge"', '1x60')]] },
  OncewardOutboxLag: { fires: [lag(400)], at: '10m', quiet: [[lag(200)]] },
  OncewardDeadLetters: { fires: [gauge('dead_letter_queue_depth', 'sink="hook"', 1)], at: '10m', quiet: [[gauge('dead_letter_queue_depth', 'sink="hook"', 0)]] },
  OncewardSinkPaused: { fires: [gauge('onceward_sink_paused', 'sink="hook"', 1)], at: '10m', quiet: [[gauge('onceward_sink_paused', 'sink="hook"', 0)]] },
  OncewardNoRelay: { fires: [gauge('onceward_relay_leader', 'sink="hook"', 0)], at: '5m', quiet: [[gauge('onceward_relay_leader', 'sink="hook"', 0), one('onceward_relay_leader', 'sink="hook"', '1x1600', 'b:9901')]] },
}

/** Two processes at work on one store, with what happens every day: replays, some retries, an upstream that fails now and then. */
export const HEALTHY: readonly Series[] = ['a:9901', 'b:9901'].flatMap((instance, leads) => [
  ...['2xx', '4xx', '5xx', 'timeout'].map((kind, i) => one('http_request_outcome', `class="${kind}",method="POST",route="charge"`, `0+${[3000, 60, 15, 3][i] ?? 0}x70`, instance)),
  ...['new', 'replay', 'in_flight', 'mismatch', 'uncertain'].map((outcome, i) => one('idempotency_key_total', `outcome="${outcome}",route="charge"`, `0+${[2900, 90, 10, 0, 0][i] ?? 0}x70`, instance)),
  ...['1', '2', '3', '4+'].map((attempt, i) => one('retry_attempt_total', `attempt="${attempt}",route="charge"`, `0+${[30, 6, 1, 0][i] ?? 0}x70`, instance)),
  ...Object.entries({ '0.1': 4, '28': 37, '32': 37, '+Inf': 37 }).map(([le, rate]) => one('retry_delay_seconds_bucket', `route="charge",le="${le}"`, `0+${rate}x70`, instance)),
  one('retry_delay_seconds_count', 'route="charge"', '0+37x70', instance),
  ...[['onceward_uncertain_keys', '', 0], ['onceward_config_last_reload_successful', '', 1], ['onceward_redis_circuit_open', '', 0], ['onceward_event_loop_delay_seconds', '', 0.002], ['onceward_breaker_state', '', 0],
    ['onceward_build_info', 'version="1"', 1], ['outbox_lag_seconds', 'sink="hook"', 0.4], ['dead_letter_queue_depth', 'sink="hook"', 0], ['onceward_relay_catch_up_rate', 'sink="hook"', 0], ['onceward_sink_paused', 'sink="hook"', 0],
    ['onceward_relay_leader', 'sink="hook"', leads], ['onceward_source_state', 'source="orders"', 1 + leads], ['onceward_source_lag_seconds', 'source="orders"', 0.1]] .map(([name, labels, value]) => one(String(name), String(labels), `${value}x70`, instance)),
  ...['onceward_fail_open_total', 'onceward_unguarded_keyed_requests_total'].map((name) => one(name, 'route="charge"', '0x70', instance)),
  one('onceward_limit_reached_total', 'limit="request_body"', '0+1x70', instance), one('onceward_retries_refused_total', 'reason="no-attempts"', '0+1x70', instance), one('onceward_source_passed_gaps_total', 'source="orders"', '0x70', instance),
  one('onceward_probes_total', 'result="found",route="charge"', '0+1x70', instance), one('onceward_probes_total', 'result="unclear",route="charge"', '0x70', instance),
])

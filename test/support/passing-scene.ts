import type { Test } from 'tap'
import { startForTest, type Running } from './start-sidecar.ts'
import { dial, standIn, type StandIn, type Wire } from './wire.ts'

/*
 * For tests of what streams past the keys: they hold both ends of the wire and let one step follow the other, so that
 * nothing is a matter of time.
 */

/** A route for each way past the keys. */
export const ROUTES = `
routes:
  - { name: passed, match: { path: /passed/* }, pass: true }
  - { name: optional, match: { path: /optional/* }, idempotency: { key: optional } }
  - { name: shadowed, match: { path: /shadowed/* }, idempotency: { mode: shadow, scope: none } }
  - { name: copied, match: { path: /copied/* }, idempotency: { mode: shadow, scope: none, fingerprint: { mode: json } } }
  - { name: retried, match: { path: /retried/* }, idempotency: { key: ignored }, retry: { deadline: 10m } }
`

export const WAYS = [['a pass route', 'passed'], ['a guarded route without a key', 'optional'], ['a route with retry and without keys', 'retried'], ['a route in shadow mode', 'shadowed'], ['a route in shadow mode that compares JSON', 'copied']] as const

export interface Scene {
  readonly sidecar: Running
  readonly upstream: StandIn
  readonly client: Wire
  /** the head of a request for this way's route */
  readonly head: (method: string, ...fields: readonly string[]) => string
  readonly outcome: (kind: string, method: string) => Promise<number>
}

/** With a key where somebody looks at it. */
const KEYED: Readonly<Record<string, readonly string[]>> = { shadowed: ['Idempotency-Key: k'], copied: ['Idempotency-Key: k', 'Content-Type: application/json'] }

/** A sidecar between an upstream and a client that the test plays both. */
export async function scene(t: Test, route: string, yaml = ROUTES, graceMs = 500): Promise<Scene> {
  const upstream = await standIn(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml, graceMs })
  return {
    sidecar, upstream, client: dial(t, sidecar.address),
    head: (method, ...fields) => [`${method} /${route}/x HTTP/1.1`, 'Host: shop.example', ...KEYED[route] ?? [], ...fields, '', ''].join('\r\n'),
    outcome: (kind, method) => sidecar.metric(`http_request_outcome{class="${kind}",method="${method}",route="${route}"}`),
  }
}

/** Asks again until it is so; what is asked about happens in this process, and 500 times are ten seconds. */
export async function sooner(t: Test, what: string, ask: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 500; i += 1) {
    if (await ask()) return void t.pass(what)
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
  t.fail(what)
}

/** Resolves with a number that has not changed for ten looks, one after the other. */
export async function atRest(look: () => number): Promise<number> {
  for (let same = 0, last = -1; ; ) {
    const now = look()
    same = now === last ? same + 1 : 0
    if (same === 10) return now
    last = now
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
}

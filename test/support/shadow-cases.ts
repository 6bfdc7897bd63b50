import type { Test } from 'tap'
import { request } from 'undici'
import { SHADOW_OUTCOMES } from '../../src/core/shadow.ts'
import { respond, scriptedUpstream, type ScriptedUpstream } from './scripted-upstream.ts'
import type { Running, Sent } from './start-sidecar.ts'

/** Counts of one route: of what enforcement has done, or of what it would have done. */
export async function countsOf(sidecar: Running, series: 'idempotency_key_total' | 'onceward_shadow_total', route: string): Promise<Record<string, number>> {
  const text = await (await request(`${sidecar.adminAddress}/metrics`)).body.text()
  const found = text.matchAll(new RegExp(`^${series}{outcome="([a-z_]+)",route="${route}"} (\\d+)$`, 'gm'))
  return Object.fromEntries([...found].map(([, outcome = '', count]) => [outcome, Number(count)] as const).filter(([, count]) => count > 0))
}

/** Once so many requests are counted; the store answers when it likes. */
export async function shadowed(sidecar: Running, requests: number, route = 'charge'): Promise<Record<string, number>> {
  for (let asked = 0; ; asked += 1) {
    const counts = await countsOf(sidecar, 'onceward_shadow_total', route)
    const sum = SHADOW_OUTCOMES.reduce((all, outcome) => all + (counts[outcome] ?? 0), 0)
    if (sum >= requests || asked > 500) return counts
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
}

export const charge = (mode: 'enforce' | 'shadow', more = ''): string => (
  `defaults: { retry: { attempts: 1 } }\nroutes: [{ name: charge, match: { method: POST, path: /v1/* }, idempotency: { key: required, mode: ${mode}${more} } }]\n`
)

/** Answers by the last segment of the path: a status, or 200. */
export function answeringByPath(t: Test): Promise<ScriptedUpstream> {
  return scriptedUpstream(t, ({ socket, request: text, number }) => {
    const status = Number(/^\S+ \S*\/(\d{3}) /.exec(text)?.[1] ?? 200)
    respond(socket, status, `run ${number}`, ...(status === 503 ? ['Retry-After: 1'] : []))
  })
}

const json = (body: string): Partial<Sent> => ({ body, headers: ['Authorization', 'Bearer one', 'Content-Type', 'application/json'] })

/** What a client sends, one behind the other, and why it is among them. */
export const TRAFFIC: readonly (readonly [key: string | null, more?: Partial<Sent>])[] = [
  ['a'], ['a'], ['"a"'], // a key, its retry, and the same in quotes
  ['a', { body: '{"amount":2}' }], ['a', { path: '/v1/other' }], ['a', json('{"amount":1}')], // another body, target, type
  ['a', { headers: ['Authorization', 'Bearer two'] }], // somebody else's
  [null], [null, { body: '' }],
  ['with space'], ['k'.repeat(256)],
  ['b', { headers: [] }], // nobody's
  ['r', { path: '/v1/429' }], ['r', { path: '/v1/429' }], ['r', { path: '/v1/503' }], // refused: free again
  ['c', { path: '/v1/401' }], ['c', { path: '/v1/401' }],
  ['d', { path: '/v1/500' }], ['d', { path: '/v1/500' }], // an answer like any
  ['u', { path: '/v1/504' }], ['u', { path: '/v1/504' }], ['u', { path: '/v1/502' }], // nobody knows; then another request
  ['e', { body: '' }], ['e', { body: '' }],
  ['l', { body: 'x'.repeat(300_000) }], ['l', { body: 'x'.repeat(300_000) }], ['l', { body: 'x'.repeat(299_999) }],
  ['h', { body: 'x'.repeat(1_100_000) }], // over the limit
  ['j', json('{"a":1,"b":2}')], ['j', json('{ "b": 2, "a": 1 }')], ['j', json('{"a":1,"b":3}')], ['j', json('{"a":')],
  ['m', { body: '--x\r\n\r\none\r\n--x--', headers: ['Authorization', 'Bearer one', 'Content-Type', 'multipart/form-data; boundary=x'] }],
  ['m', { body: '--y\r\n\r\none\r\n--y--', headers: ['Authorization', 'Bearer one', 'Content-Type', 'multipart/form-data; boundary=y'] }],
]

/** Sends all of it and says what came back. */
export async function sendAll(sidecar: Running): Promise<number[]> {
  const statuses: number[] = []
  for (const [key, more] of TRAFFIC) statuses.push((await sidecar.post(key, more)).status)
  return statuses
}

/** What the script's upstream answers to each of them. */
export const PASSED = TRAFFIC.map(([, more]) => Number(/\/(\d{3})$/.exec(more?.path ?? '')?.[1] ?? 200))

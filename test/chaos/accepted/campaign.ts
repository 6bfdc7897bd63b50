import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { Agent, request } from 'undici'
import { chance } from '../chance.ts'
import { startPostgres } from '../../support/services/postgres.ts'
import type { Bug, Order } from './order.ts'
import { startLedger, type Fate, type Ledger } from './upstream.ts'

/*
 * Requests that are accepted while the sidecar is killed with -9 again and again, and a service that loses some of them. At the end each
 * operation's own word is compared with what the service has written down:
 *
 *     completed    done once, and the reply is the one that the service gave
 *     uncertain    done once, or not at all
 *     dead         not done
 */

export interface Plan {
  readonly store: 'embedded' | 'postgres'
  readonly requests: number
  readonly kills: number
  readonly seed: number
  readonly bug: Bug | null
}

export interface Outcome {
  readonly accepted: number
  readonly kills: number
  /** operations by their last word */
  readonly ends: Readonly<Record<string, number>>
  readonly arrived: number
  /** one sentence each; none if everything held */
  readonly violations: readonly string[]
  readonly tookMs: number
}

const LEASE_MS = 3000
/** What is accepted and lost would be waited for in vain; what is wrong is seen at the end. */
const ARRIVE_WITHIN_MS = 10_000
/** How long everything may take to come to its end once the last process lives. */
const PATIENCE_MS = 60_000
const OWNERS = ['Bearer one', 'Bearer two'] as const

export async function acceptedCampaign(t: Pick<Test, 'teardown'>, plan: Plan): Promise<Outcome> {
  const startedAt = performance.now()
  const dataDir = mkdtempSync(join(tmpdir(), 'onceward-accepted-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  const refusedOnce = new Set<string>()
  const random = chance(plan.seed, 'upstream')
  const ledger = await startLedger(t, random, (key) => fate(random(), key, refusedOnce))
  const postgres = plan.store === 'postgres' ? await startPostgres(t, { settings: { shared_buffers: '64MB' } }) : null
  const life = new Life({ yaml: yamlOf(ledger.origin, dataDir, postgres?.url ?? null, plan.bug === 'anybody' ? 'none' : 'credential'), logFile: join(dataDir, 'log.jsonl'), bug: plan.bug })
  t.teardown(() => life.kill())
  await life.start()
  const agent = new Agent({ connections: 64 })
  t.teardown(() => agent.destroy())
  const asking = askAll(plan.requests, life, agent)
  for (let kill = 1; kill <= plan.kills; kill += 1) {
    await ledger.reached(Math.floor(plan.requests * kill / (plan.kills + 1)), ARRIVE_WITHIN_MS)
    await life.kill()
    await life.start()
  }
  const accepted = await asking
  const states = await finalStates(accepted, life, agent)
  const violations = [...judge(accepted, states, ledger), ...await strangers(accepted, life, agent), ...await repetitions(accepted, states, life, agent)]
  const ends: Record<string, number> = {}
  for (const { status } of states.values()) ends[status] = (ends[status] ?? 0) + 1
  return { accepted: accepted.size, kills: plan.kills, ends, arrived: ledger.arrived, violations, tookMs: performance.now() - startedAt }
}

function fate(dice: number, key: string, refusedOnce: Set<string>): Fate {
  if (dice < 0.02) return 'lost'
  if (dice < 0.04) return 'cut'
  if (dice < 0.1 && !refusedOnce.has(key)) {
    refusedOnce.add(key)
    return 'busy'
  }
  return 'done'
}

function yamlOf(upstream: string, dataDir: string, postgres: string | null, scope: string): string {
  const sealing = `sealing: { keys: [{ id: one, secret: "${Buffer.alloc(32, 5).toString('base64')}" }] }`
  return `
service: accepted-chaos
upstream: ${upstream}
listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
store: { ${postgres === null ? `data_dir: "${dataDir}"` : `postgres: { url: "${postgres}", durability: local }`}, ${sealing} }
operations: { concurrency: 8, base: 20ms, cap: 200ms, lease: 1s, quota: 100000 }
routes:
  - name: work
    match: { method: POST, path: /work }
    async: allowed
    idempotency: { key: required, scope: ${scope}, lease: ${LEASE_MS}ms }
    retry: { attempts: 2, base: 1ms }
`
}

/** The sidecar, which comes back after each death, at another address. */
class Life {
  readonly #order: Order
  #child: ChildProcess | null = null
  #ended: Promise<unknown> = Promise.resolve()
  #address = Promise.withResolvers<string>()

  constructor(order: Order) {
    this.#order = order
    this.#address.promise.catch(() => undefined)
  }

  /** Waits while it is down. */
  get address(): Promise<string> {
    return this.#address.promise
  }

  async start(): Promise<void> {
    const child = fork(fileURLToPath(new URL('./sidecar.ts', import.meta.url)), [JSON.stringify(this.#order)], { execArgv: [], env: {}, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#child = child
    this.#ended = new Promise((resolve) => { child.once('exit', resolve) })
    const address = await new Promise<string>((resolve, reject) => {
      child.once('message', (message: { readonly kind: string, readonly address?: string, readonly error?: string }) => (message.address === undefined ? reject(new Error(message.error)) : resolve(message.address)))
      child.once('exit', () => reject(new Error('the sidecar died before it was ready')))
    })
    this.#address.resolve(address)
  }

  async kill(): Promise<void> {
    this.#address = Promise.withResolvers<string>()
    this.#child?.kill('SIGKILL')
    this.#child = null
    await this.#ended
  }
}

interface Accepted {
  readonly location: string
  readonly owner: string
}

interface Said {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** Null: nobody was there. */
async function said(life: Life, agent: Agent, method: 'GET' | 'POST', path: string, headers: Readonly<Record<string, string>>): Promise<Said | null> {
  try {
    const reply = await request(`${await life.address}${path}`, { method, dispatcher: agent, headers, body: method === 'POST' ? '{"work":1}' : null })
    return { status: reply.statusCode, headers: reply.headers, body: await reply.body.text() }
  } catch {
    await pause(20)
    return null
  }
}

/** A client that was told nothing asks again with the same key, as clients should. Sixteen of them, evenly over the campaign. */
async function askAll(requests: number, life: Life, agent: Agent): Promise<ReadonlyMap<string, Accepted>> {
  const accepted = new Map<string, Accepted>()
  let next = 0
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (next < requests) {
      const [key, owner] = [`key-${next}`, OWNERS[next % 2] ?? '']
      next += 1
      for (let answer = null; answer === null;) {
        answer = await said(life, agent, 'POST', '/work', { 'Idempotency-Key': key, 'Authorization': owner, 'Prefer': 'respond-async' })
        if (answer !== null && answer.status === 202) accepted.set(key, { location: String(answer.headers['location']), owner })
        else answer = null
      }
    }
  }))
  return accepted
}

interface State {
  readonly status: string
  readonly reply: { readonly status: number, readonly body: string } | null
}

async function finalStates(accepted: ReadonlyMap<string, Accepted>, life: Life, agent: Agent): Promise<ReadonlyMap<string, State>> {
  const states = new Map<string, State>()
  const until = performance.now() + PATIENCE_MS
  for (const [key, { location, owner }] of accepted) {
    for (;;) {
      const answer = await said(life, agent, 'GET', location, { 'Authorization': owner, 'Prefer': 'wait=5' })
      const state = answer === null ? { status: 'nobody was there' } : answer.status === 200 ? JSON.parse(answer.body) as State : { status: String(answer.status) }
      states.set(key, { reply: null, ...state })
      if (['completed', 'uncertain', 'dead', '404'].includes(state.status) || performance.now() > until) break
    }
  }
  return states
}

function judge(accepted: ReadonlyMap<string, Accepted>, states: ReadonlyMap<string, State>, { done, answers }: Ledger): string[] {
  const wrong = [...done].filter(([, times]) => times > 1).map(([key, times]) => `${key} was done ${times} times`)
  for (const [key] of accepted) {
    const { status, reply } = states.get(key) ?? { status: 'missing', reply: null }
    const times = done.get(key) ?? 0
    switch (status) {
      case 'completed':
        if (times !== 1) wrong.push(`${key} is completed and was done ${times} times`)
        if (reply?.status !== 201 || reply.body !== answers.get(key)) wrong.push(`${key} has another reply than the service gave`)
        break
      case 'uncertain': break
      case 'dead':
        if (times > 0) wrong.push(`${key} is dead and was done`)
        break
      default: wrong.push(`${key} never came to an end: ${status}`)
    }
  }
  return wrong
}

/** Another identity, and a name that nobody has. */
async function strangers(accepted: ReadonlyMap<string, Accepted>, life: Life, agent: Agent): Promise<string[]> {
  const wrong: string[] = []
  const unknown = await said(life, agent, 'GET', '/_onceward/operations/op_000000000unknown', { Authorization: OWNERS[0] })
  for (const [key, { location, owner }] of accepted) {
    const other = OWNERS.find((candidate) => candidate !== owner) ?? ''
    for (const path of [location, `${location}/reply`]) {
      const answer = await said(life, agent, 'GET', path, { Authorization: other })
      if (answer?.status !== 404 || answer.body !== unknown?.body) wrong.push(`${key} was told to somebody else: ${answer?.status}`)
    }
  }
  return wrong
}

/** Whoever repeats a request hears the same of it. */
async function repetitions(accepted: ReadonlyMap<string, Accepted>, states: ReadonlyMap<string, State>, life: Life, agent: Agent): Promise<string[]> {
  const wrong: string[] = []
  for (const [key, { location, owner }] of accepted) {
    const answer = await said(life, agent, 'POST', '/work', { 'Idempotency-Key': key, 'Authorization': owner })
    const state = states.get(key)
    const expected = state?.status === 'completed' ? answer?.status === 201 && answer.body === state.reply?.body : answer?.status === 202 && answer.headers['location'] === location
    if (!expected) wrong.push(`${key} is ${state?.status}, and its repetition was answered ${answer?.status}`)
  }
  return wrong
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}

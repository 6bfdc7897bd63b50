import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { askableService, listing } from './askable-service.ts'
import { send, type Received } from './start-sidecar.ts'
import { SidecarProcess } from './sidecar-process.ts'

/*
 * kill -9 in the middle of many requests, against an upstream that goes on for up to 5 s with what was abandoned. Nobody asks
 * again until the next process has found out by itself what became of them.
 */

const LONGEST_WORK_MS = 5000
const QUIET_MS = 6000
const RESOLVED_WITHIN_MS = 120_000

const YAML = `
limits: { socket_wait: 1s }
routes:
  - name: charges
    match: { method: POST, path: /v1/charges }
    idempotency:
      key: required
      lease: 3s
      scope: { header: x-tenant }
      when_unsure:
        probe:
          get: "/v1/charges?key={key}&account={identity}"
          quiet: ${QUIET_MS}ms
          credential: { header: authorization, value: "Bearer \${PROBE_TOKEN}" }
          found: { pointer: /data/0 }
          absent: { status: [200], pointer: /data/0 }
          expect: { /data/0/account: "{identity}", /data/0/key: "{key}" }
          reply: { status: 201, pointer: /data/0 }
    retry: { attempts: 1, deadline: 10s }
`

interface Wanted {
  readonly tenant: string
  readonly key: string
}

export async function findsOrphans(t: Test, requests: number, store: string): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'onceward-orphans-'))
  const config = join(dataDir, 'onceward.yaml')
  writeFileSync(config, `${YAML}${store}`)
  // two tenants use the same keys
  const wanted: Wanted[] = Array.from({ length: requests }, (_, n) => ({ tenant: n % 2 === 0 ? 'acme' : 'bolt', key: `key-${n >> 1}` }))
  const arrivals = new Map<string, number[]>()
  let killed = false
  let arrivedSoFar = 0
  let halfArrived: () => void = () => undefined
  const half = new Promise<void>((resolve) => { halfArrived = resolve })
  const service = await askableService(t, (key, arrival, tenant) => {
    const name = `${tenant} ${key}`
    arrivals.set(name, [...arrivals.get(name) ?? [], performance.now()])
    if ((arrivedSoFar += 1) === Math.ceil(requests * 0.7)) halfArrived()
    // a third of what is under way at the kill is never done, the rest some time later
    if (arrival === 1 && !killed && Math.random() < 0.33) return { chargeAfterMs: null, answers: true }
    return { chargeAfterMs: killed ? 0 : Math.random() * LONGEST_WORK_MS, answers: true }
  }, () => (response, charges, request) => {
    if (request.headers.authorization === 'Bearer of-the-probe') listing(response, charges, request)
    else response.writeHead(401).end()
  })
  const sidecar = new SidecarProcess({ dataDir: join(dataDir, 'data'), config, upstream: service.origin, environment: { PROBE_TOKEN: 'of-the-probe' } })
  t.teardown(async () => {
    await sidecar.kill()
    rmSync(dataDir, { recursive: true, force: true })
  })
  await sidecar.start()
  const post = ({ tenant, key }: Wanted): Promise<Received> => send(sidecar.origin, key, { headers: ['Authorization', 'Bearer of-the-client', 'X-Tenant', tenant] })
  const first = wanted.map((wish, n) => new Promise((resolve) => { setTimeout(resolve, n * 5) }).then(() => post(wish)).catch(() => null))
  await half
  await sidecar.kill()
  killed = true
  await Promise.all(first)
  const before = new Set(arrivals.keys())
  const ran = service.ledger.length
  await sidecar.start()

  const left = await resolvedAlone(sidecar.adminOrigin)
  t.strictSame(left, { in_flight: 0, uncertain: 0 }, 'nothing is left in flight or in doubt, and nobody has asked')
  const sums = await sumsOf(sidecar.adminOrigin)
  t.comment(`${before.size} of ${requests} had arrived at the kill, ${ran} were done then, ${service.ledger.length} some seconds later; found ${sums.found}, absent ${sums.absent}, unclear ${sums.unclear}; ${service.questions.length} questions`)
  t.ok(sums.found > 0, 'some were found')
  t.ok(sums.absent > 0, 'some were absent')

  const answers = await Promise.all(wanted.map(async (wish) => ({ wish, answer: await post(wish) })))
  for (const { wish: { tenant, key }, answer } of answers) {
    const name = `${tenant} ${key}`
    t.equal(answer.status, 201, name)
    const charge: unknown = JSON.parse(answer.body)
    t.match(charge, { account: tenant, key }, 'the charge of who asked')
    t.equal(service.charged(tenant, key), 1, `${name} ran once`)
    const [one, two, ...more] = arrivals.get(name) ?? []
    t.equal(more.length, 0, `${name} was sent twice at most`)
    if (one !== undefined && two !== undefined) t.ok(two - one >= QUIET_MS, `${name} was sent again after quiet`)
  }
  t.ok(service.questions.every(({ authorization }) => authorization === 'Bearer of-the-probe'), 'with a credential of its own')
}

interface Left { readonly in_flight: number, readonly uncertain: number }

/** Polls the gauges, which upkeep refreshes, until there has been a doubt and there is none. */
async function resolvedAlone(admin: string): Promise<Left> {
  const until = performance.now() + RESOLVED_WITHIN_MS
  let left = await leftOver(admin)
  for (let seen = false; performance.now() < until; left = await leftOver(admin)) {
    seen ||= left.uncertain > 0
    if (seen && left.uncertain === 0 && left.in_flight === 0) return left
    await new Promise((resolve) => { setTimeout(resolve, 250) })
  }
  return left
}

async function leftOver(admin: string): Promise<Left> {
  const text = await (await fetch(`${admin}/metrics`)).text()
  return { in_flight: gauge(text, 'onceward_in_flight_keys'), uncertain: gauge(text, 'onceward_uncertain_keys') }
}

async function sumsOf(admin: string): Promise<{ found: number, absent: number, unclear: number }> {
  const text = await (await fetch(`${admin}/metrics`)).text()
  const of = (result: string): number => gauge(text, `onceward_probes_total{result="${result}",route="charges"}`)
  return { found: of('found'), absent: of('absent'), unclear: of('unclear') }
}

function gauge(text: string, series: string): number {
  return Number(text.split('\n').find((line) => line.startsWith(`${series} `))?.slice(series.length + 1) ?? Number.NaN)
}

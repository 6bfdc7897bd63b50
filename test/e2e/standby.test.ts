import type { Client } from 'pg'
import t, { test, type Test } from 'tap'
import { countingUpstream } from '../support/counting-upstream.ts'
import { heldUpstream } from '../support/held-upstream.ts'
import { needs } from '../support/services/needs.ts'
import { startPostgres } from '../support/services/postgres.ts'
import { startForTest, until, type Running } from '../support/start-sidecar.ts'
import { cancelWaits, connected, waitFor } from '../store/postgres/opened.ts'

needs(t, 'postgres')

const onPostgres = (url: string): string => `store: { postgres: { url: "${url}", deadline: 700ms } }\ndefaults: { retry: { deadline: 2s } }`

/** Every wait for the standby is cancelled meanwhile: the server calls that a success, with a warning. */
async function cancelling<T>(t: Test, admin: Client, work: () => Promise<T>): Promise<T> {
  const over = new AbortController()
  const cancelled = cancelWaits(admin, over.signal)
  try {
    return await work()
  } finally {
    over.abort()
    t.ok(await cancelled >= 1, 'somebody was cancelled')
  }
}

test('a claim whose wait for the standby is cancelled sends nothing: the client is told 503, and the key runs once the standby is back', async (t) => {
  const server = await startPostgres(t)
  const url = await server.createDatabase()
  const upstream = await countingUpstream(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: onPostgres(url) })
  const admin = await connected(t, url)
  await waitFor(admin, 'absent')
  const told = await cancelling(t, admin, () => Promise.all([sidecar.post('k1'), sidecar.post('k2'), sidecar.post('k1')]))
  for (const answer of told) t.match(answer, { status: 503, problem: 'store-unavailable', headers: { 'retry-after': /\d/ } })
  const { rows } = await admin.query('select from onceward.key_record')
  t.ok(rows.length > 0, 'the rows are there for everybody to see')
  t.equal(upstream.executions(), 0)
  await waitFor(admin, '')
  await until(() => sidecar.post('k1'), ({ status }) => status === 200)
  await until(() => sidecar.post('k2'), ({ status }) => status === 200)
  t.equal(upstream.executions(), 2)
  t.equal(upstream.doubles(), 0)
})

test('an answer whose wait for the standby is cancelled is told to nobody, at neither sidecar, until the standby has it', async (t) => {
  const server = await startPostgres(t)
  const url = await server.createDatabase()
  const upstream = await heldUpstream(t)
  const [one, other] = [await startForTest(t, upstream.origin, { yaml: onPostgres(url) }), await startForTest(t, upstream.origin, { yaml: onPostgres(url) })]
  const admin = await connected(t, url)
  const first = one.post('k1')
  await upstream.arrived(1)
  await waitFor(admin, 'absent')
  upstream.letGo()
  const [told, elsewhere] = await cancelling(t, admin, () => Promise.all([first, askedMeanwhile(other)]))
  t.match(told, { status: 503, problem: 'outcome-not-recorded' })
  t.strictSame(elsewhere.filter((heard) => heard !== 'in-flight' && heard !== 'store-unavailable'), [])
  await waitFor(admin, '')
  for (const sidecar of [one, other]) t.match(await until(() => sidecar.post('k1'), ({ status }) => status === 200), { body: 'n1', headers: { 'idempotent-replayed': 'true' } })
  t.equal(upstream.requests.length, 1)
})

/** What another sidecar tells about the key while its answer is not durable. */
async function askedMeanwhile(other: Running): Promise<string[]> {
  const heard: string[] = []
  for (let n = 0; n < 5; n += 1) {
    const { status, problem } = await other.post('k1')
    heard.push(problem ?? String(status))
    await new Promise((resolve) => { setTimeout(resolve, 50) })
  }
  return heard
}

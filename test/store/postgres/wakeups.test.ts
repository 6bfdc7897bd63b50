import t, { test, type Test } from 'tap'
import { systemClock } from '../../../src/host/clock.ts'
import { systemRandom } from '../../../src/host/random.ts'
import { PostgresWakeups } from '../../../src/store/postgres/wakeups.ts'
import { NotedJournal } from '../../support/quiet.ts'
import { needs } from '../../support/services/needs.ts'
import { postgresUrl } from '../../support/services/postgres.ts'
import { claimed, completion, request } from '../../contract/situation.ts'
import { connected, openedStore, until } from './opened.ts'

needs(t, 'postgres')

function process(t: Test, url: string): PostgresWakeups {
  const wakeups = new PostgresWakeups({ url, schema: 'onceward', clock: systemClock(), random: systemRandom(), journal: new NotedJournal() })
  t.teardown(() => wakeups.close())
  return wakeups
}

/** Says it until it arrives: LISTEN begins some time after the first wait. */
async function arrives(say: () => void, woken: () => boolean): Promise<void> {
  await until(() => {
    say()
    return new Promise((resolve) => { setTimeout(() => resolve(woken()), 20) })
  })
}

test('a settle in one process wakes who waits in another, and nobody else', async (t) => {
  const url = await postgresUrl()
  const [here, there] = [process(t, url), process(t, url)]
  let [woken, others] = [0, 0]
  there.wait('key-a', () => { woken += 1 })
  there.wait('key-b', () => { others += 1 })
  await arrives(() => here.publish(['key-a']), () => woken > 0)
  t.equal(others, 0)
})

test('more ids than one notification holds all arrive', async (t) => {
  const url = await postgresUrl()
  const [here, there] = [process(t, url), process(t, url)]
  const ids = Array.from({ length: 1000 }, (_, n) => String(n).padStart(43, 'x'))
  const woken = new Set<string>()
  for (const id of ids) there.wait(id, () => woken.add(id))
  await arrives(() => here.publish(ids), () => woken.size === ids.length)
  t.equal(woken.size, 1000)
})

test('after its connection was killed it listens again', async (t) => {
  const url = await postgresUrl()
  const [here, there] = [process(t, url), process(t, url)]
  let woken = 0
  there.wait('key-a', () => { woken += 1 })
  await arrives(() => here.publish(['key-a']), () => woken > 0)
  const admin = await connected(t, url)
  await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'onceward'")
  woken = 0
  await arrives(() => here.publish(['key-a']), () => woken > 0)
  t.ok(woken > 0)
})

test('one connection serves all who wait, and none is made before somebody does', async (t) => {
  const url = await postgresUrl()
  const wakeups = process(t, url)
  const admin = await connected(t, url)
  const connections = async () => (await admin.query("select from pg_stat_activity where datname = current_database() and application_name = 'onceward'")).rows.length
  t.equal(await connections(), 0)
  for (let n = 0; n < 5000; n += 1) wakeups.wait(`key-${n % 100}`, () => undefined)
  await until(async () => await connections() === 1)
})

test('the settle of a flagged record is told after its commit', async (t) => {
  const url = await postgresUrl()
  const reader = await openedStore(t, url)
  const seen: Promise<string | undefined>[] = []
  const publish = (ids: readonly string[]): void => {
    for (const id of ids) seen.push(reader.find({ id }, 1).then(([record]) => record?.state))
  }
  const store = await openedStore(t, url, { wakeups: { publish } })
  const claim = await claimed(store, request('a', '1'))
  t.equal(await reader.flag(claim.id), 'flagged')
  t.equal(await store.complete(claim, completion('done')), 'written')
  t.strictSame(await Promise.all(seen), ['completed'], 'told once, and whoever looks then sees it')
})

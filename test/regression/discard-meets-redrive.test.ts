import t, { test, type Test } from 'tap'
import { OPERATIONS_SINK } from '../../src/core/operations.ts'
import type { Stores } from '../../src/core/outbox-ports.ts'
import { openPostgresStores } from '../../src/store/postgres/key-store.ts'
import { ALL, EVERYTHING, led } from '../contract/outbox/situation.ts'
import { ACT, beginning, begun, request, work } from '../contract/situation.ts'
import { connected, storeOptions, until } from '../store/postgres/opened.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'

needs(t, 'postgres')

const REDRIVE = 'update onceward.outbox_event set dead_at = null, cause = null, blocks = false'

/** One accepted request whose dead letter somebody else is about to put back, while a discard has seen it dead. */
async function discardedMeanwhile(t: Test, given: (stores: Stores) => Promise<void>): Promise<{ readonly stores: Stores, readonly discarded: number }> {
  const url = await postgresUrl()
  const stores = await openPostgresStores(storeOptions(url))
  t.teardown(() => stores.keys.close())
  await stores.keys.accept(WISH, work(WISH))
  await given(stores)
  const lead = await led(stores.outbox, 'relay-1', OPERATIONS_SINK)
  const { events } = await stores.outbox.take({ ...EVERYTHING, sink: OPERATIONS_SINK })
  await stores.outbox.settle(lead, events.map(({ row }) => ({ kind: 'dead', row, cause: 'given up', blocks: true })))
  const other = await connected(t, url)
  await other.query('begin')
  await other.query(REDRIVE)
  let over = false
  const discarding = stores.outbox.discard({ ...ALL, id: WISH.operationRef }, 10, ACT).finally(() => { over = true })
  await until(async () => over || (await other.query("select from pg_stat_activity where wait_event_type = 'Lock'")).rows.length > 0)
  await other.query('commit')
  return { stores, discarded: await discarding }
}

const WISH = request('a', '1')

test('a discard that meets a redrive of the same dead letter leaves the record to the event that waits again', async (t) => {
  const { stores: { keys }, discarded } = await discardedMeanwhile(t, async () => undefined)
  t.equal(discarded, 0)
  t.match(await keys.find({ id: WISH.id }, 1), [{ state: 'accepted' }])
  t.match(await keys.begin(beginning(WISH, '2')), { kind: 'claimed' }, 'what was put back is executed')
})

test('nor does it take a doubt from the operation that its client looks up', async (t) => {
  const { stores: { keys }, discarded } = await discardedMeanwhile(t, async (stores) => {
    await stores.keys.abandon(await begun(stores.keys, WISH, '2'), 'connection-lost', 1)
  })
  t.equal(discarded, 0)
  t.match(await keys.find({ id: WISH.id }, 1), [{ state: 'uncertain', accepted: { owner: work(WISH).owner } }])
})

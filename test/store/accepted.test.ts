import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type Test } from 'tap'
import { OPERATIONS_SINK } from '../../src/core/operations.ts'
import type { Stores } from '../../src/core/outbox-ports.ts'
import type { KeyRecord } from '../../src/core/record.ts'
import { openEmbeddedStores } from '../../src/store/sqlite/key-store.ts'
import { ACT, beginning, begun, completion, giveUp, HeldClock, keptReply, LEASE_MS, OWNER, readable, request, RETENTION_MS, work } from '../contract/situation.ts'
import { copyFolder, folderOf, open, unavailability } from './folder.ts'

/* The embedded store's own side of accepted work: where its records lie, and what a crash, a new start or a flipped byte makes of them. */

/** Opens what a crash at this moment would leave, or the same folder after it was closed properly. */
type Next = (stores: Stores) => Promise<Stores>

function opener(t: Test, clock: HeldClock): { readonly first: () => Promise<Stores>, readonly crashed: Next, readonly closed: Next } {
  const folder = folderOf(t)
  let [dataDir, copies] = [join(folder, 'data-0'), 0]
  const opened = async (): Promise<Stores> => {
    const stores = await openEmbeddedStores({ dataDir, clock })
    t.teardown(() => stores.keys.close())
    return stores
  }
  return {
    first: opened,
    async crashed() {
      copies += 1
      const copy = join(folder, `data-${copies}`)
      copyFolder(dataDir, copy)
      dataDir = copy
      return opened()
    },
    async closed({ keys }) {
      await keys.close() // everything is in the table now
      return opened()
    },
  }
}

for (const how of ['crashed', 'closed'] as const) {
  test(`an accepted operation goes through all its states across starts, of which each was ${how}`, async (t) => {
    const clock = new HeldClock()
    const folder = opener(t, clock)
    const [a, b] = [request('a', '1', { probe: 'a probe', outbox: 'a draft' }), request('b', '1')]
    let stores = await folder.first()
    const next = async (state: KeyRecord['state']): Promise<void> => {
      const before = await recordsOf(stores)
      stores = await folder[how](stores)
      t.strictSame(await recordsOf(stores), before, state)
      t.match(await stores.keys.find({ id: a.id }, 1), [{ state, accepted: { owner: OWNER } }])
      t.match(await stores.keys.claim(request('a', '9')), { kind: state === 'completed' ? 'replay' : 'accepted', operationRef: a.operationRef })
      t.strictSame((await stores.keys.find({ state: 'accepted' }, 10)).map(({ id }) => id).toSorted(), (state === 'accepted' ? [a.id, b.id] : [b.id]).toSorted())
    }
    for (const wish of [a, b]) await stores.keys.accept(wish, work(wish))
    await next('accepted')
    clock.advance(3 * RETENTION_MS)
    const first = await begun(stores.keys, a, '2')
    await next('in_flight')
    t.equal(await stores.keys.release(first), 'written')
    await next('accepted')
    clock.advance(3 * RETENTION_MS)
    const second = await begun(stores.keys, a, '3')
    t.equal(second.fence, 3)
    await stores.keys.abandon(second, 'connection-lost', 1)
    await next('uncertain')
    t.equal(await stores.keys.resolve(a.id, 3, { as: 'not-executed', operationRef: null }, ACT), 'written')
    await next('accepted')
    const third = await begun(stores.keys, a, '4')
    t.equal(third.fence, 5)
    clock.advance(1000)
    t.equal(await stores.keys.complete(third, completion('done')), 'written')
    await next('completed')
    t.match(await stores.keys.find({ id: a.id }, 1), [{ retainUntil: clock.wallMs() + RETENTION_MS }], 'kept from its completion on')
    t.match(await stores.keys.census(), { inFlight: 0, uncertain: 0, completed: 1 })
  })
}

test('begun and completed in one life, its retention is that of its completion in the next one, too', async (t) => {
  const clock = new HeldClock()
  const folder = opener(t, clock)
  const stores = await folder.first()
  const wish = request('a', '1', { retentionMs: 10_000 })
  await stores.keys.accept(wish, work(wish))
  const claim = await begun(stores.keys, wish, '2')
  clock.advance(9999)
  await stores.keys.complete(claim, completion('done'))
  const { keys } = await folder.crashed(stores)
  clock.advance(9999)
  const replay = await keys.claim(request('a', '3'))
  t.strictSame(replay.kind === 'replay' && readable(replay.reply), readable(keptReply('done')))
})

test('what is thrown away stays away, and leaves a doubt that is nobody\'s work', async (t) => {
  const clock = new HeldClock()
  const folder = opener(t, clock)
  let stores = await folder.first()
  const [never, doubt] = [request('never', '1'), request('doubt', '1')]
  for (const wish of [never, doubt]) await stores.keys.accept(wish, work(wish))
  await stores.keys.abandon(await begun(stores.keys, doubt, '2'), 'connection-lost', 1)
  stores = await folder.closed(stores)
  await giveUp(stores.outbox)
  t.equal(await stores.outbox.discard({ id: null, sink: OPERATIONS_SINK, lane: null, type: null }, 10, ACT), 2)
  stores = await folder.crashed(stores)
  t.strictSame(await stores.keys.find({ id: never.id }, 1), [])
  t.match(await stores.keys.claim(request('doubt', '3')), { kind: 'uncertain', fence: 2 })
  stores = await folder.closed(stores)
  t.match(await stores.keys.find({ id: doubt.id }, 1), [{ state: 'uncertain', accepted: null }])
  t.strictSame(await stores.keys.begin(beginning(doubt, '4')), { kind: 'gone' })
})

test('nothing that says whose it is, or that it waits, can be changed without the checksum', async (t) => {
  const dataDir = folderOf(t)
  const first = await open(dataDir)
  const [waiting, flying, plain] = [request('a', '1'), request('b', '1'), request('c', '1')]
  for (const wish of [waiting, flying]) await first.accept(wish, work(wish))
  await begun(first, flying, '2')
  await first.claim(plain)
  await first.close()
  const damages = [
    [waiting, "owner = 'somebody else'"], [waiting, 'accepted_at = accepted_at + 1'], [waiting, `state = 'in_flight', lease_until = ${LEASE_MS}`], [waiting, 'created_at = 1'],
    [flying, 'accepted_at = null, owner = null'], [flying, "state = 'accepted', lease_until = null"],
    [plain, "accepted_at = 1, owner = 'somebody'"],
  ] as const
  for (const [{ id }, damage] of damages) {
    const damaged = join(folderOf(t), 'damaged')
    copyFolder(dataDir, damaged)
    const database = new DatabaseSync(join(damaged, 'onceward.db'))
    t.equal(database.prepare(`update key_record set ${damage} where id = ?`).run(id).changes, 1, damage)
    database.close()
    const store = await open(damaged)
    const wish = [waiting, flying, plain].find((one) => one.id === id) ?? plain
    for (const asked of [() => store.begin(beginning(wish, '3')), () => store.claim({ ...wish, holder: 'another' }), () => store.find({ id }, 1)]) t.match(await unavailability(asked()), { written: 'no' }, damage)
    await store.close()
  }
})

async function recordsOf({ keys }: Stores): Promise<unknown> {
  const found = await Promise.all(['a', 'b'].map((name) => keys.find({ id: request(name, '1').id }, 1)))
  return found.flat().map((record) => (record.state === 'completed' ? { ...record, reply: readable(record.reply) } : record))
}

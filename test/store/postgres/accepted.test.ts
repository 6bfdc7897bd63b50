import { readFileSync } from 'node:fs'
import type { Client } from 'pg'
import t, { test, type Test } from 'tap'
import { OPERATIONS_SINK } from '../../../src/core/operations.ts'
import type { Stores } from '../../../src/core/outbox-ports.ts'
import type { ClaimRequest } from '../../../src/core/record.ts'
import { ids } from '../../../src/store/postgres/columns.ts'
import { openPostgresStores } from '../../../src/store/postgres/key-store.ts'
import { filled } from '../../../src/store/postgres/statements.ts'
import { ALL } from '../../contract/outbox/situation.ts'
import { ACT, begun, claimed, completion, event, giveUp, keptReply, request, work } from '../../contract/situation.ts'
import { needs } from '../../support/services/needs.ts'
import { postgresUrl } from '../../support/services/postgres.ts'
import { connected, refusal, storeOptions } from './opened.ts'

needs(t, 'postgres')

async function scene(t: Test): Promise<Stores & { readonly admin: Client }> {
  const url = await postgresUrl()
  const stores = await openPostgresStores(storeOptions(url, { connections: 1, durability: 'local' }))
  t.teardown(() => stores.keys.close())
  return { ...stores, admin: await connected(t, url) }
}

test('a program of before requests were accepted runs none of them, and works on with every other key', async (t) => {
  const { keys, admin } = await scene(t)
  const [waiting, flying] = [request('waiting', '1'), request('flying', '1')]
  for (const wish of [waiting, flying]) await keys.accept(wish, work(wish))
  await begun(keys, flying, '2')
  const old = (name: string): string => filled(readFileSync(new URL(`./before-accepted/${name}.sql`, import.meta.url), 'utf8'), { schema: 'onceward' })
  const claim = async (name: 'claim' | 'claim-orphan', wish: ClaimRequest, takeMs: number | null): Promise<unknown[][]> => {
    const { keyDigest, operationRef, fingerprint, spec, parts, holder, route, leaseMs, retentionMs } = wish
    const values = [null, ids([wish]), [keyDigest], [operationRef], [fingerprint], [spec], [parts], [holder], [route], [leaseMs], [retentionMs], [takeMs], [null], [null]]
    return (await admin.query<unknown[]>({ text: old(name), values, rowMode: 'array' })).rows
  }
  const verdict = async (wish: ClaimRequest, takeMs: number | null): Promise<unknown[]> => (await claim('claim', wish, takeMs))[0]?.slice(1, 2) ?? []
  const [held] = await claim('claim', request('waiting', '5'), null)
  t.strictSame([held?.[1], held?.[6]], ['uncertain', null], 'a doubt without a time, which that program cannot read: the store is unavailable for this key')
  t.strictSame(await verdict(request('waiting', '5'), 3_600_000), ['take'], 'where it would send again, it first has to take over')
  t.strictSame(await claim('claim-orphan', request('waiting', '5'), 3_600_000), [], 'and cannot: it asks once more, until its time is up')
  t.strictSame(await verdict(request('flying', '5'), 3_600_000), ['busy'], 'what is executed is in flight')
  t.match(await keys.find({ id: waiting.id }, 1), [{ state: 'accepted', fence: 1, holder: waiting.holder }])
  const plain = request('plain', '5')
  t.strictSame(await verdict(plain, null), ['new'])
  t.equal(await keys.complete({ id: plain.id, holder: plain.holder, fence: 1 }, completion('done')), 'written')
  t.strictSame(await verdict(request('plain', '6'), null), ['replay'])
})

test('a resolve that cannot take the event with it changes nothing, and neighbours on its connection are none the worse', async (t) => {
  const { keys, admin } = await scene(t)
  const wish = request('a', '1')
  await keys.accept(wish, work(wish))
  await keys.abandon(await begun(keys, wish, '2'), 'connection-lost', 1)
  await admin.query('begin')
  await admin.query('select from onceward.outbox_event where id = $1 for update', [wish.operationRef])
  const resolution = { as: 'completed' as const, reply: keptReply('found'), events: [event('evt')] }
  const [refused, ...neighbours] = await Promise.all([
    refusal(keys.resolve(wish.id, 2, resolution, ACT)), // lock_timeout of settings.sql
    ...['b', 'c', 'd'].map(async (name) => keys.complete(await claimed(keys, request(name, '1')), completion('done', [event(`event-of-${name}`)]))),
  ])
  t.match(refused, { written: 'no', message: /resolve-completed and end-work: / })
  t.strictSame(neighbours, ['written', 'written', 'written'])
  t.match(await keys.find({ id: wish.id }, 1), [{ state: 'uncertain', fence: 2 }])
  t.strictSame(await keys.audit(10), [])
  t.strictSame((await eventsIn(admin)).toSorted(), [wish.operationRef, 'event-of-b', 'event-of-c', 'event-of-d'].toSorted())
  await admin.query('rollback')
  t.equal(await keys.resolve(wish.id, 2, resolution, ACT), 'written')
  t.strictSame((await eventsIn(admin)).toSorted(), ['evt', 'event-of-b', 'event-of-c', 'event-of-d'].toSorted())
  t.match(await keys.census(), { completed: 4 })
})

test('a dead letter whose record cannot be seen to is not thrown away', async (t) => {
  const { keys, outbox, admin } = await scene(t)
  const wish = request('a', '1')
  await keys.accept(wish, work(wish))
  await giveUp(outbox)
  await admin.query('begin')
  await admin.query('update onceward.key_record set attempts = attempts')
  t.match(await refusal(outbox.discard(ALL, 10, ACT)), { written: 'no' })
  await admin.query('rollback')
  t.strictSame(await outbox.audit(10), [])
  t.equal((await outbox.deadLetters(ALL, 10, null)).length, 1)
  t.match(await keys.find({ id: wish.id }, 1), [{ state: 'accepted' }])
  t.equal(await outbox.discard({ ...ALL, sink: OPERATIONS_SINK }, 10, ACT), 1)
  t.strictSame(await keys.find({ id: wish.id }, 1), [])
})

test('the estimate of a large table leaves out what waits', async (t) => {
  const { keys, admin } = await scene(t)
  const waiting = Array.from({ length: 300 }, (_, n) => request(`waiting-${n}`, '1'))
  await Promise.all(waiting.map((wish) => keys.accept(wish, work(wish, wish.keyDigest))))
  await Promise.all(Array.from({ length: 900 }, async (_, n) => keys.complete(await claimed(keys, request(`done-${n}`, '1')), completion('done'))))
  await admin.query('vacuum analyze onceward.key_record')
  t.strictSame(await keys.census(), { inFlight: 0, uncertain: 0, completed: 900 })
})

async function eventsIn(admin: Client): Promise<string[]> {
  const { rows } = await admin.query<{ id: string }>('select id from onceward.outbox_event')
  return rows.map(({ id }) => id)
}

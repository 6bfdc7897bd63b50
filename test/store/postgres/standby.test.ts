import type { Client } from 'pg'
import t, { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import { startPostgres } from '../../support/services/postgres.ts'
import { claimed, completion, request, work } from '../../contract/situation.ts'
import { cancelWaits, connected, openedStore, refusal, until, waitFor } from './opened.ts'

needs(t, 'postgres')

/*
 * A wait for a standby that was cancelled leaves a commit that everybody sees and that a failover would lose. Who wrote it is
 * warned; who reads it is not.
 */
test('a reply whose commit was not waited for is replayed by nobody before the standby has it', async (t) => {
  const server = await startPostgres(t)
  const url = await server.createDatabase()
  const [writer, reader] = [await openedStore(t, url, { deadlineMs: 1000 }), await openedStore(t, url, { deadlineMs: 1000 })]
  const admin = await connected(t, url)
  const claim = await claimed(writer, request('a', '1'))
  await waitFor(admin, 'absent')
  const over = new AbortController()
  const cancelling = cancelWaits(admin, over.signal)
  t.equal((await refusal(writer.complete(claim, completion('done')))).written, 'unknown')
  await until(async () => (await admin.query("select from pg_stat_activity where wait_event = 'SyncRep'")).rows.length === 0)
  over.abort()
  t.ok(await cancelling >= 1)
  t.equal(await stateOf(admin), 'completed', 'everybody can see it')
  t.equal((await refusal(reader.claim(request('a', '2')))).written, 'unknown', 'a claim is not answered by it')
  t.equal((await refusal(reader.find({ id: claim.id }, 1))).written, 'unknown', 'nor is who waits for it')
  t.match(await reader.claim(request('b', '2')).catch(() => ({ kind: 'unavailable' })), { kind: 'unavailable' })
  await waitFor(admin, '')
  await until(() => reader.claim(request('a', '3')).then(({ kind }) => kind === 'replay', () => false))
  t.match(await reader.find({ id: claim.id }, 1), [{ state: 'completed' }])
  t.equal(await writer.complete(claim, completion('done')), 'written')
})

test('what was accepted is promised to nobody before the standby has it', async (t) => {
  const server = await startPostgres(t)
  const url = await server.createDatabase()
  const [writer, reader] = [await openedStore(t, url, { deadlineMs: 1000 }), await openedStore(t, url, { deadlineMs: 1000 })]
  const admin = await connected(t, url)
  const [wish, again] = [request('a', '1'), request('a', '2')]
  await waitFor(admin, 'absent')
  const over = new AbortController()
  const cancelling = cancelWaits(admin, over.signal)
  t.equal((await refusal(writer.accept(wish, work(wish)))).written, 'unknown')
  await until(async () => (await admin.query("select from pg_stat_activity where wait_event = 'SyncRep'")).rows.length === 0)
  over.abort()
  t.ok(await cancelling >= 1)
  t.equal(await stateOf(admin), 'accepted', 'everybody can see it')
  t.equal((await refusal(reader.accept(again, work(again)))).written, 'unknown', 'nobody is told of it: by an acceptance')
  t.equal((await refusal(reader.claim(again))).written, 'unknown', 'by a claim')
  t.equal((await refusal(writer.accept(wish, work(wish)))).written, 'unknown', 'nor who asks once more')
  await waitFor(admin, '')
  await until(() => reader.claim(again).then(({ kind }) => kind === 'accepted', () => false))
  t.strictSame(await writer.accept(wish, work(wish)), { kind: 'accepted', operationRef: wish.operationRef, fresh: true })
})

async function stateOf(admin: Client): Promise<string | undefined> {
  const { rows } = await admin.query<{ state: string }>('select state from onceward.key_record')
  return rows[0]?.state
}

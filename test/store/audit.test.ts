import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'tap'
import { ACT, request } from '../contract/situation.ts'
import { folderOf, open, replayOf, settle } from './folder.ts'

function change(dataDir: string, sql: string): void {
  const database = new DatabaseSync(join(dataDir, 'onceward.db'))
  database.exec(sql)
  database.close()
}

const { id } = request('a', '1')

test('an act whose line cannot be written does not happen', async (t) => {
  const dataDir = folderOf(t)
  const store = await open(dataDir)
  await settle(store, ['a'])
  await store.close()
  change(dataDir, "create trigger planted before insert on audit_entry begin select raise(abort, 'planted'); end")
  const again = await open(dataDir)
  t.teardown(() => again.close())
  for (const verb of ['evict', 'forget'] as const) await t.rejects(again[verb](id, ACT), { name: 'StoreUnavailable', written: 'no' }, verb)
  t.match(await replayOf(again, 'a'), { status: 201 }, 'the reply is where it was')
  t.strictSame(await again.audit(10), [])
})

test('a line that was tampered with is not told as if it were true', async (t) => {
  const dataDir = folderOf(t)
  const store = await open(dataDir)
  await settle(store, ['a'])
  await store.evict(id, ACT)
  await store.close()
  change(dataDir, "update audit_entry set by = 'nobody'")
  const again = await open(dataDir)
  t.teardown(() => again.close())
  await t.rejects(again.audit(10), { message: 'the checksum of an audit entry is wrong' })
})

test('a database of before the audit trail gets one, and its keys stay readable', async (t) => {
  const dataDir = folderOf(t)
  const store = await open(dataDir)
  await settle(store, ['a'])
  await store.close()
  change(dataDir, "delete from migration where name like '%-audit.sql'; drop table audit_entry")
  const again = await open(dataDir)
  t.teardown(() => again.close())
  t.match(await replayOf(again, 'a'), { status: 201 })
  t.equal(await again.evict(id, ACT), 'evicted')
  t.match(await again.audit(10), [{ verb: 'evict', before: 'completed', ...ACT }])
})

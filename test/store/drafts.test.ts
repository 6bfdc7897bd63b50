import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'tap'
import { onClaim } from '../../src/core/transition.ts'
import { checksumOf, columnsOf, PROBE_COLUMN } from '../../src/store/sqlite/rows.ts'
import { claimed, completion, request, START_MS } from '../contract/situation.ts'
import { copyFolder, folderOf, open } from './folder.ts'

function checksum(changes: { readonly probe?: string | null, readonly outbox?: string | null }): number {
  const { change } = onClaim(undefined, request('a', '1', changes), START_MS)
  if (change.kind !== 'put') throw new Error('a free key is claimed')
  return checksumOf(columnsOf(change.record), 0)
}

test('neither a draft nor a probe can change, go or pass for the other without the checksum', (t) => {
  const sums = [checksum({}), checksum({ probe: 'x' }), checksum({ outbox: 'x' }), checksum({ probe: 'x', outbox: 'y' }), checksum({ probe: 'y', outbox: 'x' }), checksum({ outbox: 'y' })]
  t.equal(new Set(sums).size, sums.length)
  t.end()
})

test('a row without either has the checksum that it had before there were any', (t) => {
  const { change } = onClaim(undefined, request('a', '1'), START_MS)
  if (change.kind !== 'put') throw new Error('a free key is claimed')
  const columns = columnsOf(change.record)
  t.strictSame(columns.slice(PROBE_COLUMN), [null, null, null, null])
  const before = columns.slice(0, PROBE_COLUMN)
  t.equal(checksumOf(before, 0), checksum({}))
  t.not(checksumOf([...before, null, 'x', null, null], 0), checksum({}))
  t.equal(checksumOf([...before, null, 'x'], 0), checksum({ outbox: 'x' }), 'nor does one with a draft change with what came after drafts')
  t.end()
})

test('a draft comes back from the table, and one that was changed there is not believed', async (t) => {
  const dataDir = folderOf(t)
  const first = await open(dataDir)
  const { id } = await claimed(first, request('a', '1', { outbox: '{"v":1}' }))
  await first.close() // everything is in the table now
  const second = await open(dataDir)
  t.match(await second.find({ id }, 1), [{ state: 'in_flight', outbox: '{"v":1}' }])
  await second.close()
  for (const damage of ["outbox = '{\"v\":2}'", 'outbox = null']) {
    const database = new DatabaseSync(join(dataDir, 'onceward.db'))
    t.equal(database.prepare(`update key_record set ${damage}`).run().changes, 1)
    database.close()
    await t.rejects(open(dataDir).then((store) => store.find({ id }, 1).finally(() => store.close())), { name: 'StoreUnavailable' })
  }
})

test('after a crash the journal has the draft of what is in flight, and none of what was completed', async (t) => {
  const folder = folderOf(t)
  const [dataDir, crashed] = [join(folder, 'data'), join(folder, 'crashed')]
  const store = await open(dataDir)
  t.teardown(() => store.close())
  const [done, running] = [await claimed(store, request('a', '1', { outbox: '{"v":1}' })), await claimed(store, request('b', '1', { outbox: '{"v":1}' }))]
  await store.complete(done, completion('done'))
  copyFolder(dataDir, crashed)
  const again = await open(crashed)
  t.teardown(() => again.close())
  t.match(await again.find({ id: done.id }, 1), [{ state: 'completed', outbox: null }])
  t.match(await again.find({ id: running.id }, 1), [{ state: 'in_flight', outbox: '{"v":1}' }])
})

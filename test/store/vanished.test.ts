import { copyFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { claimed, completion, request } from '../contract/situation.ts'
import { copyFolder, folderOf, open, refusal, replayOf, settle, unavailability } from './folder.ts'

const DATABASE = 'onceward.db'
const LOG = 'onceward.db-wal'
const WITNESS = 'onceward.witness'

const LOSSES: readonly { readonly what: string, readonly lose: (dataDir: string) => void }[] = [
  { what: 'the database is deleted', lose: (dataDir) => rmSync(join(dataDir, DATABASE)) },
  { what: 'the log is deleted', lose: (dataDir) => rmSync(join(dataDir, LOG)) },
  { what: 'the witness is deleted', lose: (dataDir) => rmSync(join(dataDir, WITNESS)) },
  { what: 'the log is cut', lose: (dataDir) => truncateSync(join(dataDir, LOG), 100) },
  {
    what: 'the database is replaced by a copy of itself',
    lose: (dataDir) => {
      copyFileSync(join(dataDir, DATABASE), join(dataDir, 'copy'))
      renameSync(join(dataDir, 'copy'), join(dataDir, DATABASE))
    },
  },
  { what: 'the whole folder is moved', lose: (dataDir) => renameSync(dataDir, `${dataDir}-moved`) },
]

for (const { what, lose } of LOSSES) {
  test(`while it runs, ${what}: nothing is answered any more`, async (t) => {
    const dataDir = join(folderOf(t), 'data')
    const store = await open(dataDir)
    await settle(store, ['before'])
    const flying = await claimed(store, request('flying', '1'))
    lose(dataDir)
    t.match(await unavailability(store.claim(request('new', '1'))), { written: 'no' })
    t.match(await unavailability(store.claim(request('before', '2'))), { written: 'no' })
    t.match(await unavailability(store.complete(flying, completion('late'))), { written: 'no' })
    t.match(await unavailability(store.census()), { message: /was moved, replaced or cut; the store must be started anew/ })
    await store.close()
  })
}

const RESTARTS: readonly { readonly what: string, readonly lose: (dataDir: string) => void, readonly told: RegExp }[] = [
  { what: 'the database is gone', lose: (dataDir) => rmSync(join(dataDir, DATABASE)), told: /onceward\.db is gone, but .*onceward\.witness has seen its commit \d+/ },
  { what: 'the database is empty', lose: (dataDir) => truncateSync(join(dataDir, DATABASE)), told: /onceward\.db is gone/ },
  { what: 'the log is gone', lose: (dataDir) => rmSync(join(dataDir, LOG)), told: /ends with commit \d+, but commit \d+ was acknowledged/ },
  { what: 'the log is cut', lose: (dataDir) => truncateSync(join(dataDir, LOG), 32 + 4120), told: /ends with commit \d+, but commit \d+ was acknowledged/ },
  { what: 'the witness is gone', lose: (dataDir) => rmSync(join(dataDir, WITNESS)), told: /onceward\.witness is gone, so nothing can tell/ },
  { what: 'the witness is garbage', lose: (dataDir) => writeFileSync(join(dataDir, WITNESS), 'onceward has committed nothing'), told: /onceward\.witness is damaged/ },
]

for (const { what, lose, told } of RESTARTS) {
  test(`at a start after a crash, ${what}: the start is refused, and refused again`, async (t) => {
    const folder = folderOf(t)
    const [dataDir, crashed] = [join(folder, 'data'), join(folder, 'crashed')]
    const store = await open(dataDir)
    await settle(store, ['a', 'b', 'c'])
    copyFolder(dataDir, crashed)
    await store.close()
    lose(crashed)
    t.match(await refusal(crashed), told)
    t.match(await refusal(crashed), told)
  })
}

test('an old copy put back is refused', async (t) => {
  const folder = folderOf(t)
  const [dataDir, old] = [join(folder, 'data'), join(folder, 'old')]
  const store = await open(dataDir)
  await settle(store, ['a'])
  copyFolder(dataDir, old)
  await settle(store, ['b'])
  await store.close()
  for (const name of [DATABASE, LOG]) copyFileSync(join(old, name), join(dataDir, name))
  t.match(await refusal(dataDir), /an old copy was put back/)
})

test('a copy of all three files is a store', async (t) => {
  const folder = folderOf(t)
  const [dataDir, copy] = [join(folder, 'data'), join(folder, 'copy')]
  const store = await open(dataDir)
  await settle(store, ['a'])
  copyFolder(dataDir, copy)
  await store.close()
  const copied = await open(copy)
  t.match(await replayOf(copied, 'a'), { status: 201 })
  await copied.close()
})

test('a first start that died before there was a database is a first start again', async (t) => {
  const dataDir = folderOf(t)
  writeFileSync(join(dataDir, WITNESS), '')
  const store = await open(dataDir)
  await settle(store, ['a'])
  await store.close()
  t.equal(await refusal(dataDir), 'it started')
})

test('a refused start leaves the log as it was, for whoever can mend it', async (t) => {
  const folder = folderOf(t)
  const [dataDir, crashed, mended] = [join(folder, 'data'), join(folder, 'crashed'), join(folder, 'mended')]
  const store = await open(dataDir)
  await settle(store, ['a'])
  copyFolder(dataDir, crashed)
  await store.close()
  renameSync(join(crashed, WITNESS), join(folder, 'kept aside'))
  t.match(await refusal(crashed), /onceward\.witness is gone/)
  copyFolder(crashed, mended)
  renameSync(join(folder, 'kept aside'), join(mended, WITNESS))
  const restored = await open(mended)
  t.match(await replayOf(restored, 'a'), { status: 201 })
  await restored.close()
})

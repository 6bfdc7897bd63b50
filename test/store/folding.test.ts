import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { test } from 'tap'
import { openEmbeddedStore } from '../../src/store/sqlite/key-store.ts'
import { StoreUnavailable, type KeyStore } from '../../src/core/ports.ts'
import type { Claim } from '../../src/core/record.ts'
import { claimed, completion, HeldClock, keptReply, readable, request, RETENTION_MS } from '../contract/situation.ts'
import { copyFolder, folderOf, replayOf, settle } from './folder.ts'
import { flip, pagesByKind, seeded, spotsOn } from './pages.ts'

/** Generations so small that each of them passes through all phases many times in one test. */
const SMALL = { records: 20, bytes: 64 * 1024 }

function openSmall(dataDir: string, folding = SMALL): Promise<KeyStore> {
  return openEmbeddedStore({ dataDir, clock: new HeldClock(), folding })
}

function count(dataDir: string, table: string): number {
  const database = new DatabaseSync(join(dataDir, 'onceward.db'))
  try {
    return Number(database.prepare(`select count(*) as n from ${table}`).get()?.['n'])
  } finally {
    database.close()
  }
}

const names = (word: string, n: number): string[] => Array.from({ length: n }, (_, i) => `${word}-${i}`)

/** One after the other, so that there are many commits and many chunks. */
async function settleSlowly(store: KeyStore, word: string, n: number): Promise<string[]> {
  for (let i = 0; i < n; i += 10) await settle(store, names(word, n).slice(i, i + 10))
  return names(word, n)
}

test('through many generations every key is answered, and at the end all are in the table and none in the journal', async (t) => {
  const dataDir = join(folderOf(t), 'data')
  const store = await openSmall(dataDir)
  const flying = await claimed(store, request('flying', '1'))
  const all = await settleSlowly(store, 'a', 1000)
  for (const name of all) t.strictSame(await replayOf(store, name), readable(keptReply(`reply of ${name}`)))
  t.equal(await store.complete(flying, completion('late')), 'written', 'one that was claimed generations ago')
  t.match(await store.census(), { inFlight: 0, uncertain: 0, completed: 1001 })
  await store.close()
  t.equal(count(dataDir, 'key_record'), 1001)
  t.equal(count(dataDir, 'journal'), 0)
})

test('a crash in the middle of a generation loses nothing and doubles nothing', async (t) => {
  const folder = folderOf(t)
  const [dataDir, crashed] = [join(folder, 'data'), join(folder, 'crashed')]
  const store = await openSmall(dataDir)
  const all: string[] = []
  for (let round = 0; round < 12; round += 1) {
    all.push(...await settleSlowly(store, `round-${round}`, 30 + 7 * round))
    const [released, doubtful] = [await claimed(store, request(`released-${round}`, '1')), await claimed(store, request(`doubtful-${round}`, '1'))]
    await store.release(released)
    await store.abandon(doubtful, 'connection-lost', 1)
    copyFolder(dataDir, crashed)
    const again = await openSmall(crashed)
    for (const name of all) t.strictSame(await replayOf(again, name), readable(keptReply(`reply of ${name}`)))
    t.match(await again.claim(request(`released-${round}`, '2')), { kind: 'claimed', recovering: false })
    t.match(await again.claim(request(`doubtful-${round}`, '2')), { kind: 'uncertain' })
    await settleSlowly(again, `behind-${round}`, 60)
    t.match(await again.census(), { inFlight: 1, uncertain: round + 1, completed: all.length + 60 })
    await again.close()
    t.equal(count(crashed, 'key_record'), all.length + 60 + 1 + round + 1)
  }
  await store.close()
})

test('what was written in the table after it was journaled is not put back by the journal', async (t) => {
  const folder = folderOf(t)
  const [dataDir, crashed] = [join(folder, 'data'), join(folder, 'crashed')]
  const store = await openSmall(dataDir, { records: 64, bytes: 1024 * 1024 })
  const flying = await Promise.all(names('flying', 60).map((name) => claimed(store, request(name, '1'))))
  await settleSlowly(store, 'a', 80) // the generation of the flying ones is being inserted
  await Promise.all(flying.map((claim, i) => i % 2 === 0 ? store.complete(claim, completion(`late ${i}`)) : store.release(claim)))
  copyFolder(dataDir, crashed)
  const again = await openSmall(crashed)
  for (const [i, name] of names('flying', 60).entries()) {
    const outcome = await again.claim(request(name, '2'))
    t.match(outcome, i % 2 === 0 ? { kind: 'replay' } : { kind: 'claimed', recovering: false }, name)
  }
  await again.close()
  await store.close()
})

/** How many completions stand in the journal of a folder without their claims. */
function completionsAlone(dataDir: string): number {
  const database = new DatabaseSync(join(dataDir, 'onceward.db'))
  try {
    const known = new Set<unknown>()
    let alone = 0
    for (const { entries } of database.prepare('select entries from journal order by number').all()) {
      const [, , , , written] = JSON.parse(String(entries)) as [number, number, number, number, unknown[]]
      for (const entry of written) {
        if (!Array.isArray(entry)) continue
        if (Array.isArray(entry[0])) known.add(entry[0][0])
        else if (!known.has(entry[0])) alone += 1
      }
    }
    return alone
  } finally {
    database.close()
  }
}

test('a crash while the journal is being trimmed finds in the table what was completed, although its claim is trimmed off', async (t) => {
  const folder = folderOf(t)
  const [dataDir, crashed] = [join(folder, 'data'), join(folder, 'crashed')]
  const store = await openSmall(dataDir, { records: 60, bytes: 1024 * 1024 })
  let alone = 0
  const flying: [name: string, claim: Claim][] = []
  const settled: string[] = []
  for (let i = 0; i < 300; i += 1) {
    // Each call is a commit of its own, and some others always stand between a claim and its completion.
    flying.push([`slow-${i}`, await claimed(store, request(`slow-${i}`, '1'))])
    const [name, claim] = flying.length > 5 ? flying.shift() ?? [] : []
    if (name !== undefined && claim !== undefined) {
      t.equal(await store.complete(claim, completion(`reply of ${name}`)), 'written')
      settled.push(name)
    }
    if (i % 6 !== 0) continue
    copyFolder(dataDir, crashed)
    const here = completionsAlone(crashed)
    alone += here
    if (here === 0 && i % 60 !== 0) continue
    copyFolder(dataDir, crashed)
    const again = await openSmall(crashed)
    t.strictSame(await Promise.all(settled.map((each) => replayOf(again, each))), settled.map((each) => readable(keptReply(`reply of ${each}`))))
    t.match(await again.census(), { inFlight: flying.length, uncertain: 0, completed: settled.length })
    for (const [each, held] of flying) t.equal(await again.complete(held, completion(`late ${each}`)), 'written')
    await again.close()
    t.equal(count(crashed, 'key_record'), settled.length + flying.length)
  }
  t.ok(alone > 0, `${alone} completions stood alone`)
  await store.close()
})

test('a generation that meets a damaged page keeps what cannot be inserted, and answers from it', async (t) => {
  const folder = folderOf(t)
  const [dataDir, damaged] = [join(folder, 'data'), join(folder, 'damaged')]
  const store = await openSmall(dataDir)
  const before = await settleSlowly(store, 'before', 600)
  await store.close()
  const database = join(dataDir, 'onceward.db')
  const pages = pagesByKind(database).get('key_by_id leaf') ?? []
  for (const spot of spotsOn('key_by_id leaf', pages, database, 3, seeded(7)).slice(0, 8)) {
    copyFolder(dataDir, damaged)
    flip(join(damaged, 'onceward.db'), spot)
    const again = await openEmbeddedStore({ dataDir: damaged, clock: new HeldClock(), quickCheckUpToBytes: 0, folding: SMALL }).catch(() => undefined)
    if (again === undefined) continue
    const settled: string[] = []
    for (const name of names('after', 300)) {
      try {
        await settle(again, [name])
        settled.push(name)
      } catch (error) {
        t.ok(error instanceof StoreUnavailable)
      }
    }
    t.ok(settled.length > 100, `${settled.length} of 300 new keys`)
    const unavailable: string[] = []
    for (const name of [...before, ...settled]) {
      const answer = await replayOf(again, name).catch((error: unknown) => error instanceof StoreUnavailable ? 'unavailable' : 'broken')
      if (answer === 'unavailable') unavailable.push(name)
      else t.strictSame(answer, readable(keptReply(`reply of ${name}`)), `${name}, byte ${spot.offset}`)
    }
    t.ok(unavailable.length < 450, `${unavailable.length} of ${before.length + settled.length} keys are not answered`)
    await again.close()
  }
})

test('operators find a key in every block of rows, also behind a block that is gone', async (t) => {
  const dataDir = join(folderOf(t), 'data')
  const clock = new HeldClock()
  const store = await openEmbeddedStore({ dataDir, clock, folding: { records: 4096, bytes: 64 * 1024 * 1024 } })
  const keep = async (name: string, retentionMs: number): Promise<void> => {
    await store.complete(await claimed(store, request(name, '1', { retentionMs })), completion(`reply of ${name}`))
  }
  await Promise.all(names('first', 100).map((name) => keep(name, RETENTION_MS)))
  await Promise.all(names('gone', 9000).map((name) => keep(name, 1)))
  await Promise.all(names('last', 5000).map((name) => keep(name, RETENTION_MS)))
  clock.advance(1)
  t.match(await store.sweep(10_000), { deleted: 9000 })
  await store.close()
  const again = await openEmbeddedStore({ dataDir, clock })
  for (const name of ['first-0', 'first-99', 'last-0', 'last-4999']) {
    const { id, keyDigest, operationRef } = request(name, '1')
    t.match(await again.find({ keyDigest }, 2), [{ id }], name)
    t.match(await again.find({ operationRef }, 2), [{ id }], name)
  }
  t.strictSame(await again.find({ keyDigest: request('gone-5', '1').keyDigest }, 2), [])
  await again.close()
})

test('a byte flipped in what the journal has on its own pages is never a guess', async (t) => {
  const folder = folderOf(t)
  const [dataDir, crashed, damaged] = [join(folder, 'data'), join(folder, 'crashed'), join(folder, 'damaged')]
  const store = await openSmall(dataDir, { records: 100_000, bytes: 1024 * 1024 * 1024 })
  const all = await settleSlowly(store, 'a', 300)
  await settle(store, names('many-at-once', 50))
  copyFolder(dataDir, crashed)
  await store.close()
  const database = join(crashed, 'onceward.db')
  const writer = new DatabaseSync(database)
  writer.exec('pragma wal_checkpoint(truncate)')
  writer.close()
  const kinds = pagesByKind(database)
  const below = seeded(11)
  for (const kind of ['journal leaf', 'journal overflow', 'journal internal']) {
    const pages = kinds.get(kind) ?? []
    t.ok(pages.length > 0, kind)
    for (const spot of spotsOn(kind, pages, database, 4, below)) {
      copyFolder(crashed, damaged)
      flip(join(damaged, 'onceward.db'), spot)
      const again = await openEmbeddedStore({ dataDir: damaged, clock: new HeldClock(), quickCheckUpToBytes: 0 }).catch(() => undefined)
      if (again === undefined) {
        t.pass(`${kind}, byte ${spot.offset}: the start is refused`)
        continue
      }
      for (const name of all) t.strictSame(await replayOf(again, name), readable(keptReply(`reply of ${name}`)), `${kind}, byte ${spot.offset}`)
      await again.close()
    }
  }
})

import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { test } from 'tap'
import type { KeyRecord } from '../../src/core/record.ts'
import { checksumOf, columnsOf, hashOf, sealFields } from '../../src/store/sqlite/rows.ts'
import { createWitness, openWitness, writeWitness } from '../../src/store/sqlite/witness.ts'
import { ACT, keptReply, LEASE_MS, readable, request, RETENTION_MS, START_MS, work } from '../contract/situation.ts'
import { folderOf, open, replayOf, unavailability } from './folder.ts'

/* A file that an earlier program has left, of before requests were accepted: its CHECKs know three states, its rows 23 columns. */

const FOLDER = join(import.meta.dirname, '../../src/store/sqlite/migrations')
const BEFORE = readdirSync(FOLDER).toSorted().slice(0, 8)
/** columns of a record then */
const COLUMNS = 23

function recordOf(name: string, state: Pick<KeyRecord, 'state'> & object, changes: Partial<KeyRecord> = {}): KeyRecord {
  const { id, keyDigest, operationRef, fingerprint, spec, parts, holder, route } = request(name, '1')
  const common = { id, keyDigest, operationRef, fingerprint, spec, parts, holder, route, fence: 1, attempts: 1, probe: null, outbox: null, accepted: null, createdAt: START_MS, retainUntil: START_MS + RETENTION_MS, ...changes }
  switch (state.state) {
    case 'in_flight': return { ...common, state: 'in_flight', leaseUntil: START_MS + LEASE_MS }
    case 'uncertain': return { ...common, state: 'uncertain', since: START_MS, cause: 'connection-lost' }
    case 'completed': {
      const stored = keptReply(`reply of ${name}`)
      if (stored.kind !== 'kept') throw new Error('a kept reply is kept')
      const { headers, trailers } = stored.reply
      return { ...common, state: 'completed', completedAt: START_MS, reply: { kind: 'kept', reply: { ...stored.reply, headers: [sealFields(headers)], trailers: [sealFields(trailers)] } } }
    }
    case 'accepted': throw new Error('there was no such state')
    default: return state.state satisfies never
  }
}

const DONE = Array.from({ length: 50 }, (_, n) => `done-${n}`)
const FLYING = recordOf('flying', { state: 'in_flight' }, { probe: 'a probe' })
const DOUBTFUL = recordOf('doubtful', { state: 'uncertain' }, { probe: 'a probe', outbox: 'a draft' })
/** only in the journal: the program crashed before it was put into the table */
const YOUNG = recordOf('young', { state: 'in_flight' }, { outbox: 'a draft' })

/** `damage` is done to the table before anybody opens it again. */
function writtenBefore(dataDir: string, damage = ''): void {
  mkdirSync(dataDir, { recursive: true })
  const database = new DatabaseSync(join(dataDir, 'onceward.db'))
  database.exec('pragma journal_mode = wal; create table migration (number integer primary key, name text not null, applied_at integer not null) strict')
  database.function('crc32', { deterministic: true }, (text) => hashOf(String(text)))
  for (const [i, name] of BEFORE.entries()) {
    database.exec(readFileSync(join(FOLDER, name), 'utf8'))
    database.prepare('insert into migration values (?, ?, 0)').run(i + 1, name)
  }
  const places = Array.from({ length: COLUMNS + 3 }, () => '?').join(', ')
  const insert = database.prepare(`insert into key_record (row, id, key_digest, operation_ref, fingerprint, spec, parts, route, created_at, holder, fence, retain_until, attempts,
    state, lease_until, completed_at, since, cause, status, headers, trailers, body, probe, outbox, checksum, id_hash, digest_hash) values (?, ${places})`)
  const stored = [...DONE.map((name) => recordOf(name, { state: 'completed' })), FLYING, DOUBTFUL]
  for (const [n, record] of stored.entries()) {
    const columns = columnsOf(record).slice(0, COLUMNS)
    insert.run(7 * (n + 1), ...columns, checksumOf(columns, 0), hashOf(record.id), hashOf(record.keyDigest))
  }
  const act = [START_MS, 'evict', request('done-1', '1').id, request('done-1', '1').operationRef, 'completed', 'ada', 'ticket 6']
  database.prepare('insert into audit_entry values (41, ?, ?, ?, ?, ?, ?, ?, ?)').run(...act, crc32(JSON.stringify(act)))
  const [commit, inFlight, uncertain, completed] = [9, 1, 1, DONE.length]
  database.prepare('update ledger set commit_number = ?, in_flight = ?, uncertain = ?, completed = ?, checksum = ?').run(commit, inFlight, uncertain, completed, crc32(`${commit}\n${inFlight}\n${uncertain}\n${completed}`))
  const text = JSON.stringify([2, inFlight + 1, uncertain, completed, [[columnsOf(YOUNG).slice(0, COLUMNS), null]]])
  database.prepare('insert into journal values (?, ?, ?, ?)').run(commit + 1, text, new Uint8Array(0), crc32(text, commit + 1))
  if (damage !== '') database.exec(damage)
  database.close()
  const witness = join(dataDir, 'onceward.witness')
  createWitness(witness)
  writeWitness(openWitness(witness), commit + 1)
}

test('a file of before requests were accepted is taken over: every key, act and number is as it was', async (t) => {
  const dataDir = join(folderOf(t), 'data')
  writtenBefore(dataDir)
  for (let start = 0; start < 2; start += 1) {
    const store = await open(dataDir)
    for (const name of DONE) t.strictSame(await replayOf(store, name), readable(keptReply(`reply of ${name}`)), name)
    for (const record of [FLYING, DOUBTFUL, YOUNG]) {
      t.strictSame(await store.find({ id: record.id }, 1), [record])
      t.strictSame(await store.find({ keyDigest: record.keyDigest }, 2), [record])
      t.strictSame(await store.find({ operationRef: record.operationRef }, 2), [record])
    }
    t.match(await store.census(), { inFlight: 2, uncertain: 1, completed: DONE.length })
    t.match(await store.audit(10), start === 0 ? [{ by: 'ada' }] : [{ by: ACT.by, verb: 'forget', before: 'accepted' }, { by: 'ada' }])
    if (start === 0) {
      const wish = request('accepted', '1')
      t.match(await store.accept(wish, work(wish)), { kind: 'accepted', fresh: true })
      t.equal(await store.forget(wish.id, ACT), 'forgotten', 'the audit trail knows the new state, too')
    }
    await store.close()
  }
  const database = new DatabaseSync(join(dataDir, 'onceward.db'))
  const rows = database.prepare('select row, operation_ref, checksum, accepted_at, owner from key_record order by row').all()
  const stored = [...DONE.map((name) => recordOf(name, { state: 'completed' })), FLYING, DOUBTFUL]
  for (const [n, record] of stored.entries()) {
    t.match(rows[n], { row: 7 * (n + 1), operation_ref: record.operationRef, checksum: checksumOf(columnsOf(record).slice(0, COLUMNS), 0), accepted_at: null, owner: null })
  }
  t.strictSame(database.prepare('select row from audit_entry order by row').all().map(({ row }) => row), [41, 42], 'no number is used twice')
  t.strictSame(database.prepare('pragma integrity_check').all().map(({ integrity_check: end }) => end), ['ok'])
  database.close()
})

test('what was damaged in it before is carried over, and is answered no more than before', async (t) => {
  const dataDir = join(folderOf(t), 'data')
  const [reply, owner] = [request('done-3', '1').id, request('done-4', '1').id]
  writtenBefore(dataDir, `update key_record set body = x'00' where id = '${reply}'; update key_record set holder = 'somebody else' where id = '${owner}'`)
  const store = await open(dataDir)
  t.teardown(() => store.close())
  for (const name of ['done-3', 'done-4']) t.match(await unavailability(replayOf(store, name)), { message: /checksum of a key record/ }, name)
  for (const name of ['done-2', 'done-5']) t.strictSame(await replayOf(store, name), readable(keptReply(`reply of ${name}`)))
})

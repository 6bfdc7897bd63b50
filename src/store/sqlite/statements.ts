import { readFileSync } from 'node:fs'
import type { DatabaseSync, StatementSync } from 'node:sqlite'

export type Statements = ReturnType<typeof prepareAll>
export type StatementName = keyof Statements

/** Prepared once per opening. One name serves the file, the statement and the call. */
export function prepareAll(database: DatabaseSync) {
  return {
    begin: prepare(database, 'begin'),
    commit: prepare(database, 'commit'),
    rollback: prepare(database, 'rollback'),
    ledger: prepare(database, 'ledger'),
    'update-ledger': prepare(database, 'update-ledger'),
    secret: prepare(database, 'secret'),
    'write-secret': prepare(database, 'write-secret'),
    'key-space': prepare(database, 'key-space'),
    'write-key-space': prepare(database, 'write-key-space'),
    'key-known': prepare(database, 'key-known'),
    'keys-by-id': prepare(database, 'keys-by-id'),
    'keys-by-id-again': prepare(database, 'keys-by-id-again'),
    'key-in-flight-by-id': prepare(database, 'key-in-flight-by-id'),
    'key-uncertain-by-id': prepare(database, 'key-uncertain-by-id'),
    'key-by-operation': prepare(database, 'key-by-operation'),
    'keys-by-digest': prepare(database, 'keys-by-digest'),
    'keys-in-flight': prepare(database, 'keys-in-flight'),
    'keys-uncertain': prepare(database, 'keys-uncertain'),
    'keys-to-probe': prepare(database, 'keys-to-probe'),
    'keys-orphaned': prepare(database, 'keys-orphaned'),
    'keys-past-retention': prepare(database, 'keys-past-retention'),
    'insert-key': prepare(database, 'insert-key'),
    'update-key': prepare(database, 'update-key'),
    'delete-key': prepare(database, 'delete-key'),
    'insert-event': prepare(database, 'insert-event'),
    'update-event': prepare(database, 'update-event'),
    'delete-event': prepare(database, 'delete-event'),
    'delete-delivered': prepare(database, 'delete-delivered'),
    'delete-event-of-sink': prepare(database, 'delete-event-of-sink'),
    'events-of-sink': prepare(database, 'events-of-sink'),
    'waiting-of-owner': prepare(database, 'waiting-of-owner'),
    event: prepare(database, 'event'),
    'first-lane': prepare(database, 'first-lane'),
    'next-lane': prepare(database, 'next-lane'),
    'lane-events': prepare(database, 'lane-events'),
    'lane-blocked': prepare(database, 'lane-blocked'),
    arrivals: prepare(database, 'arrivals'),
    'oldest-waiting': prepare(database, 'oldest-waiting'),
    'next-waiting-sink': prepare(database, 'next-waiting-sink'),
    'dead-by-sink': prepare(database, 'dead-by-sink'),
    'dead-letters': prepare(database, 'dead-letters'),
    'sink-fence': prepare(database, 'sink-fence'),
    'write-sink-fence': prepare(database, 'write-sink-fence'),
    'source-position': prepare(database, 'source-position'),
    'write-source-position': prepare(database, 'write-source-position'),
    'shadow-note': prepare(database, 'shadow-note'),
    'write-shadow-note': prepare(database, 'write-shadow-note'),
    'end-shadow-note': prepare(database, 'end-shadow-note'),
    'release-shadow-note': prepare(database, 'release-shadow-note'),
    'sweep-shadow-notes': prepare(database, 'sweep-shadow-notes'),
    'event-known': prepare(database, 'event-known'),
    'insert-outbox-act': prepare(database, 'insert-outbox-act'),
    'outbox-audit': prepare(database, 'outbox-audit'),
    'insert-journal': prepare(database, 'insert-journal'),
    journal: prepare(database, 'journal'),
    'trim-journal': prepare(database, 'trim-journal'),
    'insert-audit': prepare(database, 'insert-audit'),
    audit: prepare(database, 'audit'),
  }
}

/** The ledger alone, for a schema that is only just coming to be. */
export function prepareLedger(database: DatabaseSync): Pick<Statements, 'ledger' | 'update-ledger'> {
  return { ledger: prepare(database, 'ledger'), 'update-ledger': prepare(database, 'update-ledger') }
}

/** Rows come as arrays: an object per row would cost more than the look-up. */
export function prepare(database: DatabaseSync, name: string): StatementSync {
  const statement = database.prepare(readFileSync(new URL(`./sql/${name}.sql`, import.meta.url), 'utf8'))
  statement.setReturnArrays(true)
  return statement
}

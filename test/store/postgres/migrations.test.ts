import { readdirSync } from 'node:fs'
import { test } from 'tap'
import { systemClock } from '../../../src/host/clock.ts'
import { systemRandom } from '../../../src/host/random.ts'
import { openPostgresStore } from '../../../src/store/postgres/key-store.ts'
import { migrate, requireSchema, type MigrateOptions } from '../../../src/store/postgres/migrate.ts'
import { NotedJournal } from '../../support/quiet.ts'
import { needs } from '../../support/services/needs.ts'
import { postgresUrl } from '../../support/services/postgres.ts'
import { connected, storeOptions } from './opened.ts'
import t from 'tap'

needs(t, 'postgres')

const MIGRATIONS = readdirSync(new URL('../../../src/store/postgres/migrations/', import.meta.url)).toSorted()

function options(url: string, changes: Partial<MigrateOptions> = {}): MigrateOptions {
  return { url, schema: 'onceward', partitions: 1, clock: systemClock(), random: systemRandom(), journal: new NotedJournal(), ...changes }
}

test('twenty that migrate at once all succeed, and each migration is applied once', async (t) => {
  const url = await postgresUrl()
  const done = await Promise.all(Array.from({ length: 20 }, () => migrate(options(url))))
  const client = await connected(t, url)
  const { rows } = await client.query<{ name: string }>('select name from onceward.migration order by number')
  t.strictSame(done.flat().toSorted(), rows.map(({ name }) => name))
  t.ok(rows.length > 0)
  t.strictSame(await migrate(options(url)), [], 'once more there is nothing to do')
})

test('an older program refuses a newer schema that breaks it, and works with one that does not', async (t) => {
  const url = await postgresUrl()
  await migrate(options(url))
  const client = await connected(t, url)
  await client.query("insert into onceward.migration (number, name, breaking) values (9001, '9001-later.sql', false)")
  t.strictSame(await migrate(options(url)), [])
  await requireSchema(url, 'onceward', systemClock())
  await client.query("insert into onceward.migration (number, name, breaking) values (9002, '9002-breaks.sql', true)")
  await t.rejects(migrate(options(url)), /migration 9002/)
  await t.rejects(requireSchema(url, 'onceward', systemClock()), /migration 9002/)
  await t.rejects(openPostgresStore(storeOptions(url)), /migration 9002/)
})

test('a start that must not migrate says what to do where something is missing', async (t) => {
  const url = await postgresUrl()
  await t.rejects(openPostgresStore(storeOptions(url, { migrate: 'by_hand' })), /onceward migrate/)
  await migrate(options(url))
  const store = await openPostgresStore(storeOptions(url, { migrate: 'by_hand' }))
  await store.close()
})

test('a migration that cannot get its lock lets others pass, and comes again', async (t) => {
  const url = await postgresUrl()
  await migrate(options(url))
  const blocker = await connected(t, url)
  await blocker.query('begin')
  await blocker.query("insert into onceward.migration (number, name, breaking) values (9999, 'another program', false)")
  const client = await connected(t, url)
  await client.query('delete from onceward.migration')
  await client.query('drop table onceward.key_record, onceward.unsettled, onceward.outbox_event, onceward.relay_lease, onceward.source_position, onceward.shadow_key, onceward.audit, onceward.outbox_audit, onceward.installation')
  await blocker.query("insert into onceward.migration (number, name, breaking) values (1, 'half-way', false)")
  const migrating = migrate(options(url))
  await new Promise((resolve) => { setTimeout(resolve, 2500) }) // longer than lock-timeout.sql
  await blocker.query('rollback')
  t.strictSame(await migrating, MIGRATIONS)
  t.strictSame(MIGRATIONS.map((name) => Number(name.slice(0, 4))), MIGRATIONS.map((_, index) => index + 1), 'numbered without gaps')
})

test('partitions are made where they are asked for, and only when the table is made', async (t) => {
  const url = await postgresUrl()
  await migrate(options(url, { partitions: 8 }))
  await migrate(options(url, { partitions: 2 }))
  const client = await connected(t, url)
  const { rows } = await client.query("select from pg_inherits where inhparent = 'onceward.key_record'::regclass")
  t.equal(rows.length, 8)
})

test('an account that may not make a schema is told so', async (t) => {
  const url = await postgresUrl()
  const client = await connected(t, url)
  await client.query('drop role if exists onceward_weak')
  await client.query('create role onceward_weak login')
  const weak = new URL(url)
  weak.username = 'onceward_weak'
  await t.rejects(migrate(options(weak.href)), /may not make the schema/)
  await migrate(options(url))
  await client.query('grant usage on schema onceward to onceward_weak')
  await client.query('grant select on all tables in schema onceward to onceward_weak')
  await client.query('grant insert, update on onceward.key_record to onceward_weak')
  await t.rejects(openPostgresStore(storeOptions(weak.href)), /lacks privileges in the schema onceward: audit insert, .*key_record delete/)
})

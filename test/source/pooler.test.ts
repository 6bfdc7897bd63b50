import t from 'tap'
import { Client } from 'pg'
import { systemClock } from '../../src/host/clock.ts'
import { PostgresTable } from '../../src/source/postgres-table.ts'
import { DEBEZIUM_TABLE, sourceSettings } from '../support/application-table.ts'
import { needs } from '../support/services/needs.ts'
import { startPgBouncer } from '../support/services/pgbouncer.ts'
import { postgresUrl } from '../support/services/postgres.ts'

needs(t, 'postgres', 'pgbouncer')

t.test('behind a pooler that gives one connection to many, the application writes on as before', async (test) => {
  const direct = await postgresUrl()
  const { url } = await startPgBouncer(test, direct, { default_pool_size: 1 })
  const application = new Client({ connectionString: url })
  await application.connect()
  test.teardown(() => application.end())
  await application.query(DEBEZIUM_TABLE)
  const table = new PostgresTable(sourceSettings(url), systemClock(), () => undefined)
  test.teardown(() => table.close())
  for (let n = 1; n < 20; n += 1) {
    await application.query(`insert into outbox (aggregatetype, aggregateid, type) values ('order', 'a', 'x')`)
    test.equal((await table.read({ cursor: 0n, gaps: [] })).rows.length, n)
  }
})

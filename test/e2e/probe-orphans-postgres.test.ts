import t, { test } from 'tap'
import { findsOrphans } from '../support/orphaned-requests.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'

needs(t, 'postgres')

test('the same over Postgres, whose clock counts', { timeout: 300_000 }, async (it) => {
  await findsOrphans(it, 60, `\nstore: { postgres: "${await postgresUrl()}" }\n`)
})

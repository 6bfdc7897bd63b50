import { Client } from 'pg'
import t from 'tap'
import { outboxCases, type CommittedRow } from '../support/outbox-cases.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'

needs(t, 'postgres')

outboxCases(t, async () => {
  const url = await postgresUrl()
  return {
    store: `\nstore: { postgres: "${url}" }\n`,
    async rows() {
      const client = new Client({ connectionString: url })
      await client.connect()
      try {
        return (await client.query<CommittedRow>(`select id, lane, convert_from(payload, 'UTF8') as payload, cause from onceward.outbox_event order by row`)).rows
      } finally {
        await client.end()
      }
    },
  }
})

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { outboxCases } from '../support/outbox-cases.ts'

outboxCases(t, async () => ({
  store: '',
  async rows(dataDir) {
    const database = new DatabaseSync(join(dataDir, 'onceward.db'), { readOnly: true })
    try {
      return database.prepare('select id, lane, payload, cause from outbox_event order by row').all().map(({ id, lane, payload, cause }) => ({
        id: String(id), lane: String(lane), payload: payload instanceof Uint8Array ? Buffer.from(payload).toString() : '', cause: cause === null ? null : String(cause),
      }))
    } finally {
      database.close()
    }
  },
}))

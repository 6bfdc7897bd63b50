import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openEmbeddedStores } from '../../src/store/sqlite/key-store.ts'
import { committing } from './outbox/situation.ts'
import { outboxStoreContract } from './outbox-store.ts'
import { HeldClock } from './situation.ts'

outboxStoreContract(t, {
  async open() {
    const folder = mkdtempSync(join(tmpdir(), 'onceward-contract-'))
    const clock = new HeldClock()
    const { keys, outbox } = await openEmbeddedStores({ dataDir: join(folder, 'data'), clock })
    return {
      outbox,
      clock,
      commit: committing(keys),
      close: async () => {
        await keys.close()
        rmSync(folder, { recursive: true })
      },
    }
  },
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openEmbeddedStores } from '../../src/store/sqlite/key-store.ts'
import { shadowContract } from './shadow.ts'
import { HeldClock } from './situation.ts'

shadowContract(t, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'onceward-contract-'))
  const clock = new HeldClock()
  const { keys, shadow } = await openEmbeddedStores({ dataDir: join(folder, 'data'), clock })
  const close = async (): Promise<void> => {
    await keys.close()
    rmSync(folder, { recursive: true })
  }
  return { shadow, clock, close }
})

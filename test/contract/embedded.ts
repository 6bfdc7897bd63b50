import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { OutboxEvent } from '../../src/core/event.ts'
import { openEmbeddedStores } from '../../src/store/sqlite/key-store.ts'
import { HeldClock, type KeyStoreHarness } from './situation.ts'

export const EMBEDDED: KeyStoreHarness = {
  async open() {
    const folder = mkdtempSync(join(tmpdir(), 'onceward-contract-'))
    const clock = new HeldClock()
    const woken: string[] = []
    const { keys: store, outbox } = await openEmbeddedStores({ dataDir: join(folder, 'data'), clock, wakeups: { publish: (ids) => woken.push(...ids) } })
    return {
      store,
      outbox,
      clock,
      woken,
      committedEvents: () => Promise.resolve(eventsOfCopy(folder)),
      close: async () => {
        await store.close()
        rmSync(folder, { recursive: true })
      },
    }
  },
}

/**
 * What a crash at this moment would leave: a copy of the files, opened by itself. By `cp`, since closing a file that
 * this process has locked would drop the lock.
 */
function eventsOfCopy(folder: string): OutboxEvent[] {
  const copy = join(folder, 'copy')
  rmSync(copy, { recursive: true, force: true })
  execFileSync('cp', ['-r', join(folder, 'data'), copy])
  const database = new DatabaseSync(join(copy, 'onceward.db'))
  try {
    return database.prepare('select id, sink, lane, type, payload from outbox_event order by row').all().map(({ id, sink, lane, type, payload }) => ({
      id: String(id), sink: String(sink), lane: String(lane), type: String(type), payload: payload instanceof Uint8Array ? payload : new Uint8Array(), flaw: null,
    }))
  } finally {
    database.close()
  }
}

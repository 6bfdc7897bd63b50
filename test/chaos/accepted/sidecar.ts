import { openSync, writeSync } from 'node:fs'
import { startSidecar, type Seams } from '../../../src/compose.ts'
import { loadConfig } from '../../../src/config/load.ts'
import type { KeyStore } from '../../../src/core/ports.ts'
import { replacing } from '../sabotage.ts'
import type { Bug, Order } from './order.ts'

/* One life of the real product in a process of its own, with a bug of its own if the campaign is to see one. */

/** How long `accept-late` leaves its write undone: nothing, this, twice this, and so on to thirty times. */
const LATE_MS = 300

function sabotaged(store: KeyStore, bug: Bug | null): KeyStore {
  switch (bug) {
    case null: return store
    case 'begin-takes': return replacing(store, { begin: (request) => store.begin({ ...request, onOrphan: { kind: 'take', withinMs: Number.MAX_SAFE_INTEGER } }) })
    case 'doubts-are-free': return replacing(store, { abandon: (claim) => store.release(claim) })
    case 'accept-late': {
      let accepted = 0
      return replacing(store, {
        accept: (request, work) => {
          accepted += 1
          setTimeout(() => void store.accept(request, work).catch(() => undefined), LATE_MS * (accepted % 30))
          return Promise.resolve({ kind: 'accepted', operationRef: request.operationRef, fresh: true })
        },
      })
    }
    case 'anybody': return store // the configuration says it
    default: return bug satisfies never
  }
}

async function live({ yaml, logFile, bug }: Order): Promise<void> {
  const loaded = await loadConfig({ file: { name: 'chaos.yaml', text: yaml }, flags: {}, environment: {} })
  if (loaded.kind === 'faulty') throw new Error(loaded.mistakes.map((mistake) => JSON.stringify(mistake)).join('\n'))
  const log = openSync(logFile, 'a')
  const seams: Seams = { store: (own) => sabotaged(own, bug) }
  const { address } = await startSidecar(loaded.config, { write: (line: string) => void writeSync(log, line) }, seams)
  process.send?.({ kind: 'ready', address })
}

process.on('disconnect', () => process.exit(0))
live(JSON.parse(process.argv[2] ?? '') as Order).catch((error: unknown) => {
  process.send?.({ kind: 'failed', error: error instanceof Error ? error.stack ?? error.message : String(error) })
})

import { openSync, writeSync } from 'node:fs'
import { startSidecar, type Seams } from '../../../src/compose.ts'
import { loadConfig } from '../../../src/config/load.ts'
import type { KeyStore } from '../../../src/core/ports.ts'
import { replacing } from '../sabotage.ts'

/* One life of the real product in a process of its own, with a bug of its own if the campaign is to see one. */

/**
 * `begin-takes`: what was under way when a process died is begun again, whatever the policy says. `doubts-are-free`: what nobody
 * knows is put back to be executed. `accept-late`: 202 is said before anything is stored. `anybody`: whose an operation is is not looked at.
 */
export const BUGS = ['begin-takes', 'doubts-are-free', 'accept-late', 'anybody'] as const
export type Bug = typeof BUGS[number]

export interface Order {
  readonly yaml: string
  readonly logFile: string
  readonly bug: Bug | null
}

/** How long `accept-late` leaves its write undone. */
const LATE_MS = 300

function sabotaged(store: KeyStore, bug: Bug | null): KeyStore {
  switch (bug) {
    case null: return store
    case 'begin-takes': return replacing(store, { begin: (request) => store.begin({ ...request, onOrphan: { kind: 'take', withinMs: Number.MAX_SAFE_INTEGER } }) })
    case 'doubts-are-free': return replacing(store, { abandon: (claim) => store.release(claim) })
    case 'accept-late':
      return replacing(store, {
        accept: (request, work) => {
          setTimeout(() => void store.accept(request, work).catch(() => undefined), LATE_MS)
          return Promise.resolve({ kind: 'accepted', operationRef: request.operationRef, fresh: true })
        },
      })
    case 'anybody': {
      const owners = new Map<string, string>()
      return replacing(store, {
        accept: (request, work) => {
          owners.set(request.operationRef, work.owner)
          return store.accept(request, work)
        },
        find: async (by, limit) => {
          const found = await store.find(by, limit)
          const anyOwner = [...owners.values()].at(-1)
          return found.map((record) => (record.accepted === null || anyOwner === undefined ? record : { ...record, accepted: { ...record.accepted, owner: anyOwner } }))
        },
      })
    }
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

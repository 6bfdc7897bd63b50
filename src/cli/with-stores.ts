import { writeFile } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import { loadFrom } from '../config/load.ts'
import { formatMistake } from '../config/mistakes.ts'
import type { Environment } from '../config/substitute.ts'
import { Declined } from '../core/declined.ts'
import type { Stores } from '../core/outbox-ports.ts'
import { StoreUnavailable } from '../core/ports.ts'
import { systemClock } from '../host/clock.ts'
import type { Flags } from './arguments.ts'
import { openStore } from './open-store.ts'
import { EXIT, type Output } from './output.ts'

/** Not needed here, and asked for by every configuration: the upstream of who only looks into the store. */
const NO_UPSTREAM = 'http://127.0.0.1:9'

/** What an operator does with the configured store; `audit` is the command that shows what was changed. Returns the exit code. */
export async function withStores(flags: Flags, environment: Environment, output: Output, audit: string, work: (stores: Stores, config: Config) => Promise<number>): Promise<number> {
  const loaded = await loadFrom({ ...flags, upstream: NO_UPSTREAM }, environment)
  if (loaded.kind === 'faulty') {
    for (const mistake of loaded.mistakes) output.complaint(formatMistake(mistake))
    return EXIT.config
  }
  try {
    const stores = await openStore(loaded.config, systemClock())
    return await work(stores, loaded.config).finally(() => stores.keys.close())
  } catch (error) {
    if (error instanceof Declined) {
      output.complaint(`onceward: ${error.message}`)
      return EXIT.refused
    }
    if (!(error instanceof StoreUnavailable)) throw error
    output.complaint(`onceward: ${error.message}`)
    if (error.written === 'unknown') output.complaint(`nobody knows whether it was changed: ${audit} shows what was`)
    return EXIT.unavailable
  }
}

/** Readable by nobody else: what is in it is a client's. */
export async function writeNewFile(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    throw new Declined(`the body cannot be written to ${path}: ${codeOf(error)}`)
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}

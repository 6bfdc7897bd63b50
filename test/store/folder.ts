import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { StoreUnavailable, type KeyStore } from '../../src/core/ports.ts'
import { openEmbeddedStore } from '../../src/store/sqlite/key-store.ts'
import { claimed, completion, HeldClock, readable, request } from '../contract/situation.ts'

/** A folder for one test, gone when the test is over. */
export function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'onceward-store-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/**
 * What a crash at this moment would leave on the disk. By `cp`: a process that closes a file loses its locks on it,
 * and the store may be open in this one.
 */
export function copyFolder(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  execFileSync('cp', ['-r', '--preserve=mode', from, to])
}

export function open(dataDir: string, quickCheckUpToBytes?: number, clock = new HeldClock()): Promise<KeyStore> {
  return openEmbeddedStore({ dataDir, clock, ...(quickCheckUpToBytes === undefined ? {} : { quickCheckUpToBytes }) })
}

/** The store's own words for "503": StoreUnavailable, and nothing else. */
export async function unavailability(promise: Promise<unknown>): Promise<StoreUnavailable> {
  try {
    await promise
  } catch (error) {
    if (error instanceof StoreUnavailable) return error
    throw error
  }
  throw new Error('expected StoreUnavailable, but there was an answer')
}

/** Why the store does not start. */
export async function refusal(dataDir: string): Promise<string> {
  try {
    const store = await open(dataDir)
    await store.close()
  } catch (error) {
    if (error instanceof StoreUnavailable) return error.message
    throw error
  }
  return 'it started'
}

export async function settle(store: KeyStore, names: readonly string[]): Promise<void> {
  await Promise.all(names.map(async (name) => store.complete(await claimed(store, request(name, '1')), completion(`reply of ${name}`))))
}

export async function replayOf(store: KeyStore, name: string): Promise<unknown> {
  const outcome = await store.claim(request(name, 'asks again'))
  return outcome.kind === 'replay' ? readable(outcome.reply) : outcome.kind
}

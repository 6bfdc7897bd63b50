import { readFile } from 'node:fs/promises'
import { keyDigest } from '../../src/core/key.ts'
import type { KeyStore } from '../../src/core/ports.ts'
import type { KeyRecord } from '../../src/core/record.ts'
import { systemClock } from '../../src/host/clock.ts'
import { openEmbeddedStore } from '../../src/store/sqlite/key-store.ts'
import type { Operation } from './client.ts'
import type { LedgerLine } from './protocol.ts'

/** What a new process finds on the disk for every key that was sent. The sidecar must be dead: one process per file. */
export async function dumpStore(dataDir: string, operations: readonly Operation[]): Promise<Map<string, KeyRecord>> {
  const store = await openEmbeddedStore({ dataDir, clock: systemClock() })
  try {
    const records = await recordsOf(store, operations)
    const { inFlight, uncertain, completed } = await store.census()
    const counted = inFlight + uncertain + completed
    if (counted !== records.size) throw new Error(`the census counts ${counted} records, and ${records.size} keys were found`)
    return records
  } finally {
    await store.close()
  }
}

/** The record of every key that has one. */
export async function recordsOf(store: KeyStore, operations: readonly Operation[]): Promise<Map<string, KeyRecord>> {
  const secret = await store.secret('never used: there is one')
  const records = new Map<string, KeyRecord>()
  await Promise.all(operations.map(async ({ key }) => {
    const found = await store.find({ keyDigest: keyDigest(secret, key) }, 2)
    if (found.length > 1) throw new Error(`two records for one key: ${key}`)
    if (found[0] !== undefined) records.set(key, found[0])
  }))
  return records
}

export async function readLedger(file: string): Promise<LedgerLine[]> {
  const text = await readFile(file, 'utf8')
  return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as LedgerLine)
}

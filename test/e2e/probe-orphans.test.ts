import { test } from 'tap'
import { findsOrphans } from '../support/orphaned-requests.ts'

/** ONCEWARD_ORPHANS=500 for the whole thing. */
const REQUESTS = Number(process.env['ONCEWARD_ORPHANS'] ?? 100)

test(`what ${REQUESTS} requests left behind at kill -9 is found, or runs once and only after quiet`, { timeout: 300_000 }, async (t) => {
  await findsOrphans(t, REQUESTS, '')
})

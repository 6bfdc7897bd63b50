import type { Test } from 'tap'
import { acceptedContract } from './accepted.ts'
import { beginningContract } from './beginning.ts'
import type { KeyStoreHarness } from './situation.ts'
import { workEndsContract } from './work-ends.ts'

/** What every KeyStore promises about requests that are accepted and executed later, together with the outbox of the same database. */
export function acceptedWorkContract(t: Test, harness: KeyStoreHarness): void {
  acceptedContract(t, harness)
  beginningContract(t, harness)
  workEndsContract(t, harness)
}

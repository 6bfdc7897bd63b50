import type { Test } from 'tap'
import { claimsContract } from './claims.ts'
import { doubtsContract } from './doubts.ts'
import { draftsContract } from './drafts.ts'
import { modelContract } from './model.ts'
import { operatorsContract } from './operators.ts'
import { probesContract } from './probes.ts'
import { settlingContract } from './settling.ts'
import { upkeepContract } from './upkeep.ts'
import { witnessContract } from './witnesses.ts'
import type { KeyStoreHarness } from './situation.ts'

/**
 * What every KeyStore promises: DESIGN sections 4.1 and 4.2, and the machine drawn in core/record.ts, in executable
 * form. Nothing in here knows what is behind the store. The other half, requests that are executed later, is accepted-work.ts.
 */
export function keyStoreContract(t: Test, harness: KeyStoreHarness): void {
  claimsContract(t, harness)
  settlingContract(t, harness)
  doubtsContract(t, harness)
  operatorsContract(t, harness)
  draftsContract(t, harness)
  probesContract(t, harness)
  upkeepContract(t, harness)
  witnessContract(t, harness)
  modelContract(t, harness)
}

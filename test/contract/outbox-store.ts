import type { Test } from 'tap'
import { deadLettersContract } from './outbox/dead-letters.ts'
import { leadingContract } from './outbox/leading.ts'
import { settlingContract } from './outbox/settling.ts'
import type { OutboxHarness } from './outbox/situation.ts'
import { takingContract } from './outbox/taking.ts'
import { sourcesContract } from './outbox/sources.ts'
import { watchingContract } from './outbox/watching.ts'

/**
 * What every OutboxStore promises: the life of an event as it is drawn in core/outbox.ts, in executable form. Nothing in here
 * knows what is behind the store.
 */
export function outboxStoreContract(t: Test, harness: OutboxHarness): void {
  leadingContract(t, harness)
  takingContract(t, harness)
  settlingContract(t, harness)
  watchingContract(t, harness)
  deadLettersContract(t, harness)
  sourcesContract(t, harness)
}

import type { KeyId } from '../../core/record.ts'
import type { Connections } from './connections.ts'
import type { Statements } from './statements.ts'

/** What all statements need. */
export interface Link {
  readonly connections: Connections
  readonly sql: Statements
  /** null: the database's own clock counts. Tests hold it still. */
  readonly now: () => number | null
  /** Tells those who wait for these keys; never throws. None is nothing to tell. */
  readonly wake: (ids: readonly KeyId[]) => void
}

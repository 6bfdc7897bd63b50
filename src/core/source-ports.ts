import type { Gap, Page, Position } from './source.ts'
import type { SourceRow } from './source-settings.ts'

/**
 * An application's own outbox table, which is read and never written. All methods reject with `SourceTrouble` and nothing else; the next call
 * begins anew, with a connection of its own.
 */
export interface SourceTable {
  /** Where reading begins if nobody has read yet. */
  beginning(): Promise<Position>
  /** One snapshot: the rows above the cursor, and those in gaps. */
  read(position: Position): Promise<Page<SourceRow>>
  /** Lets go of the connection at once: what is out rejects. May be called twice. */
  close(): void
}

/** Why the table cannot be read now; the message names no secret and nothing of a row. */
export class SourceTrouble extends Error {
  constructor(detail: string, cause?: unknown) {
    super(detail, cause === undefined ? undefined : { cause })
    this.name = 'SourceTrouble'
  }
}

/** What became of a row: an event, an event after all (its number had been missing), or a dead letter from the beginning. */
export type RowEnd = 'taken' | 'late' | 'unbuilt'

/** Counts of the readers of sources. */
export interface SourceMeter {
  /** these sources are configured: their series begin at 0 */
  sources(names: readonly string[]): void
  brought(source: string, end: RowEnd, rows: number): void
  /** `hold` was over for so many gaps, and a transaction that may fill them still runs */
  passed(source: string, gaps: number): void
  /** where reading stands, and what is missing below and above it */
  stands(source: string, at: { readonly position: Position, readonly held: readonly Gap[] }): void
  /** whether the last look at the table succeeded, and whether this process is the one that looks */
  reads(source: string, how: 'reading' | 'in-trouble' | 'following'): void
}

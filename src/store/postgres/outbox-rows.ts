import type { DeadLetter, Failure, OutboxAct, SinkCensus, WaitingEvent } from '../../core/outbox.ts'
import { StoreUnavailable } from '../../core/ports.ts'
import type { Row } from './connection.ts'
import { number, text } from './rows.ts'

/** The first columns of take.sql. */
export function waitingEventOf(row: Row): WaitingEvent {
  const firstFailedMs = row[7] ?? null
  return {
    row: number(row, 0), id: text(row, 1), lane: text(row, 2), type: text(row, 3), payload: bytes(row, 4), committedAt: number(row, 5),
    attempts: number(row, 6), firstFailedMs: firstFailedMs === null ? null : Number(firstFailedMs),
  }
}

/** The columns of dead-letters.sql. */
export function deadLetterOf(row: Row): DeadLetter {
  return {
    row: number(row, 0), id: text(row, 1), sink: text(row, 2), lane: text(row, 3), type: text(row, 4), payload: bytes(row, 5),
    committedAt: number(row, 6), deadAt: number(row, 7), attempts: number(row, 8), cause: text(row, 9),
    history: historyOf(text(row, 10)), unbuilt: row[11] === 't', blocks: row[12] === 't',
  }
}

/** The columns of outbox-audit.sql. */
export function outboxActOf(row: Row): OutboxAct {
  const verb = text(row, 3)
  if (verb !== 'redrive' && verb !== 'discard') throw new StoreUnavailable('no', 'a row of the database is not what was written: an act is unknown')
  return { at: number(row, 0), by: text(row, 1), reason: text(row, 2), verb, event: text(row, 4), sink: text(row, 5), lane: text(row, 6), type: text(row, 7), cause: text(row, 8) }
}

/** The columns of outbox-census.sql. */
export function sinkCensusOf(row: Row): SinkCensus {
  return { sink: text(row, 0), lagMs: number(row, 1), dead: number(row, 2) }
}

function bytes(row: Row, column: number): Uint8Array {
  return Buffer.from(text(row, column), 'base64')
}

function historyOf(json: string): readonly Failure[] {
  const history: unknown = JSON.parse(json)
  if (!Array.isArray(history) || !history.every(isFailure)) throw new StoreUnavailable('no', 'a row of the database is not what was written: the history of a dead letter')
  return history.map(({ at, cause }) => ({ at, cause }))
}

function isFailure(value: unknown): value is Failure {
  return typeof value === 'object' && value !== null && 'at' in value && typeof value.at === 'number' && 'cause' in value && typeof value.cause === 'string'
}

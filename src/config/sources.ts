import type { SourceColumns, SourceSettings } from '../core/source-settings.ts'
import { defaultsOf, type Document } from './schema.ts'
import { SOURCE } from './sources-schema.ts'
import { parseTableName } from './table-name.ts'
import { parseDuration } from './units.ts'

/** Outbox tables of applications, of `outbox.sources` as they were written. */

type Written = NonNullable<NonNullable<Document['outbox']>['sources']>[string]

/** https://debezium.io/documentation/reference/stable/transformations/outbox-event-router.html, without the aggregate's type, which chooses a topic there. */
export const DEBEZIUM = { id: 'id', lane: 'aggregateid', type: 'type', payload: 'payload' } as const

export function sourcesOf({ outbox }: Document): SourceSettings[] {
  return Object.entries(outbox?.sources ?? {}).map(([name, written]) => sourceOf(name, written))
}

/** Those that are known without a default are null where nobody has named them. */
export function columnsOf({ preset, order, columns, type }: Pick<Written, 'preset' | 'order' | 'columns' | 'type'>): Omit<SourceColumns, 'payload'> & { readonly payload: string | null } {
  const { id = null, lane = null, type: typed = null, payload = null, time = null, traceparent = null } = { ...(preset === undefined ? {} : DEBEZIUM), ...columns }
  return { order, id, lane, type: type === undefined ? typed : null, payload, time, traceparent }
}

function sourceOf(name: string, written: Written): SourceSettings {
  const { poll, batch, hold, late, lease, begin } = { ...defaultsOf(SOURCE), ...written }
  const columns = columnsOf(written)
  return {
    name, url: written.postgres, table: proven(parseTableName(written.table)), columns: { ...columns, payload: proven(columns.payload ?? undefined) },
    type: written.type ?? null, sink: written.sink, begin, pollMs: ms(poll), batch, holdMs: ms(hold), lateMs: ms(late), leaseMs: ms(lease),
  }
}

function ms(text: string): number {
  return proven(parseDuration(text))
}

/** The rules have accepted it; if not, it is a bug and not a mistake of the file. */
function proven<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the rules accepted a source that is incomplete')
  return value
}

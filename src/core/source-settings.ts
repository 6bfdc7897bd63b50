/** An application's own outbox table, as it was configured. Times in milliseconds. */
export interface SourceSettings {
  readonly name: string
  /** of the application's database; a secret */
  readonly url: string
  /** as it was written: a table, or a schema and a table */
  readonly table: readonly string[]
  readonly columns: SourceColumns
  /** null: the column says it */
  readonly type: string | null
  readonly sink: string
  /** where reading begins when nobody has read yet */
  readonly begin: 'oldest' | 'newest'
  readonly pollMs: number
  /** rows of one look */
  readonly batch: number
  /** how long a missing number holds up what is above it, at most */
  readonly holdMs: number
  /** how long a missing number is looked for after nobody is known who could fill it */
  readonly lateMs: number
  /** how long a process that died keeps others from reading in its place */
  readonly leaseMs: number
}

/** Names of columns; null for what the table does not have. */
export interface SourceColumns {
  /** numbers the rows in the order in which they were inserted */
  readonly order: string
  readonly id: string | null
  readonly lane: string | null
  readonly type: string | null
  readonly payload: string
  readonly time: string | null
  readonly traceparent: string | null
}

/** A row as the database gave it. */
export interface SourceRow {
  readonly order: bigint
  readonly id: string | null
  readonly lane: string | null
  readonly type: string | null
  readonly payload: SourcePayload
  /** milliseconds since the epoch, as far away as the database has any, and infinite */
  readonly time: number | null
  readonly traceparent: string | null
}

export type SourcePayload =
  | { readonly kind: 'none' }
  /** a column of type json or jsonb: JSON for certain */
  | { readonly kind: 'json', readonly text: string }
  | { readonly kind: 'text', readonly text: string }
  | { readonly kind: 'bytes', readonly bytes: Uint8Array }
  /** larger than an event may be: it was not read */
  | { readonly kind: 'too-large', readonly bytes: number }

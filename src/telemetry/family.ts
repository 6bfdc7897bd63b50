/*
 * What is shown of one metric, in whichever text format: a family and its samples.
 */

/** The latest request that counted here and belongs to a trace which somebody records. */
export interface Example {
  readonly traceId: string
  readonly value: number
  /** seconds since the epoch */
  readonly at: number
}

export interface Sample {
  /** of the family, or with one of its suffixes (`_bucket`, `_sum`, `_count`) */
  readonly name: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  readonly example: Example | null
}

export type FamilyType = 'counter' | 'gauge' | 'histogram' | 'summary'

export interface Family {
  readonly name: string
  readonly help: string
  readonly type: FamilyType
  readonly samples: readonly Sample[]
}

import type { EventTemplate } from './event-template.ts'

/** One event that a route's completions bring. */
export interface OutboxPolicy {
  readonly on: ReplyMatch
  /** the name of a sink */
  readonly sink: string
  readonly type: string
  readonly lane: EventTemplate
  /** null: the body of the reply, as it is */
  readonly data: DataTemplate | null
}

/** Which replies bring an event. */
export interface ReplyMatch {
  /** first digits of statuses */
  readonly classes: readonly number[]
  readonly statuses: readonly number[]
}

/** What an event says, as it was configured: JSON whose texts have places. */
export type DataTemplate =
  | { readonly kind: 'object', readonly members: readonly (readonly [name: string, value: DataTemplate])[] }
  | { readonly kind: 'array', readonly items: readonly DataTemplate[] }
  | { readonly kind: 'text', readonly template: EventTemplate }
  /** a number or a word */
  | { readonly kind: 'constant', readonly json: string }

export function isMeant(status: number, { classes, statuses }: ReplyMatch): boolean {
  return classes.includes(Math.floor(status / 100)) || statuses.includes(status)
}

import { COUNT, FLAG, listOf, nullable, objectOf, TEXT, TIME, type Schema } from './resource.ts'

/* What records, dead letters and acts look like: the forms of core/shown.ts, which is also the command line's --json. */

const STATES = ['accepted', 'in_flight', 'uncertain', 'completed']

export const RECORD: Schema = {
  ...objectOf({
    operation: TEXT, id: TEXT, state: { enum: STATES }, route: TEXT, accepted_at: { ...TIME, type: ['string', 'null'] }, created_at: TIME, retain_until: TIME, attempts: COUNT, fence: COUNT,
    lease_until: TIME, since: TIME, cause: TEXT, completed_at: TIME, status: COUNT, body_kept: FLAG, body_bytes: nullable('integer'),
  }, ['operation', 'id', 'state', 'route', 'accepted_at', 'created_at', 'retain_until', 'attempts', 'fence']),
  description: 'A key, without the key: `in_flight` has lease_until, `uncertain` since and cause, `completed` completed_at, status, body_kept and body_bytes.',
}

export const KEY_ACT: Schema = objectOf({ at: TIME, verb: { enum: ['evict', 'forget', 'resolve'] }, operation: TEXT, id: TEXT, before: { enum: STATES }, by: TEXT, reason: TEXT })

export const LETTER: Schema = objectOf({
  id: TEXT, sink: TEXT, lane: TEXT, type: TEXT, committed_at: TIME, dead_at: TIME, attempts: COUNT, cause: TEXT,
  unbuilt: { ...FLAG, description: 'It could never be built: there is nothing to deliver, and a redrive leaves it where it is.' },
  blocks: { ...FLAG, description: 'Its lane waits for it.' }, payload_bytes: COUNT,
  history: { type: 'array', items: objectOf({ at: TIME, cause: TEXT }) },
})

export const LETTER_ACT: Schema = objectOf({ at: TIME, verb: { enum: ['redrive', 'discard'] }, event: TEXT, sink: TEXT, lane: TEXT, type: TEXT, cause: TEXT, by: TEXT, reason: TEXT })

export const RECORDS = listOf(RECORD)
export const LETTERS = listOf(LETTER)

export const PROBLEM: Schema = objectOf({ type: TEXT, status: COUNT, title: TEXT, detail: TEXT })

import { Declined } from '../../core/declined.ts'
import type { KeyStore } from '../../core/ports.ts'
import type { KeyRecord } from '../../core/record.ts'
import { storable, type StoredReply } from '../../core/reply.ts'
import { auditJson, recordJson } from '../../core/shown.ts'
import { flawedEvents, type KeyDesk } from '../../upkeep/key-desk.ts'
import { AdminProblem } from '../problems.ts'
import { LIMIT, listOf, objectOf, REASON, TEXT, WORD, type Asked, type Resource } from './resource.ts'
import { KEY_ACT, RECORD, RECORDS } from './shapes.ts'

export interface KeysOptions {
  readonly store: Pick<KeyStore, 'find' | 'audit'>
  readonly desk: KeyDesk
  readonly keptReplyBytes: number
}

const OPERATION = { operation: { ...WORD, maxLength: 64, description: 'The name of an operation, as problems and logs have it.' } }
const STATES = ['uncertain', 'in_flight', 'accepted'] as const
/** How far back the acts on one record are looked for. */
const MOST_ACTS = 10_000
const DONE = objectOf({ operation: TEXT, done: TEXT, flaws: { type: 'array', items: TEXT, description: 'Events of the completion that could not be built, and are dead letters.' } }, ['operation', 'done'])

/** Keys, as `onceward keys` shows and changes them. */
export function keyResources({ store, desk, keptReplyBytes }: KeysOptions): readonly Resource[] {
  return [
    {
      method: 'GET', path: '/keys', id: 'listKeys', summary: 'Keys that are not completed, oldest first.',
      query: { state: { enum: STATES, default: 'uncertain' }, limit: LIMIT }, answer: RECORDS,
      async handle({ query }) {
        const state = STATES.find((known) => known === query['state']) ?? 'uncertain'
        return { items: (await store.find({ state }, Number(query['limit']))).map(recordJson), next: null }
      },
    },
    {
      method: 'POST', path: '/keys/search', id: 'searchKeys', summary: 'The records of a client\'s key. A POST, so that keys stand in no address and no log; it changes nothing.',
      body: objectOf({ key: WORD }), answer: RECORDS,
      async handle({ body }) {
        const records = await desk.candidates({ by: 'key', key: String(body['key']) }).catch((error: unknown) => {
          if (error instanceof Declined) return []
          throw error
        })
        return { items: records.map(recordJson), next: null }
      },
    },
    {
      method: 'GET', path: '/keys/{operation}', id: 'getKey', summary: 'One key, and what operators have done to it.',
      params: OPERATION, answer: objectOf({ record: RECORD, acts: { type: 'array', items: KEY_ACT } }),
      async handle(asked) {
        const record = await named(asked)
        const acts = (await store.audit(MOST_ACTS)).filter(({ operationRef }) => operationRef === record.operationRef)
        return { record: recordJson(record), acts: acts.map(auditJson) }
      },
    },
    {
      method: 'POST', path: '/keys/{operation}/resolve', id: 'resolveKey', summary: 'Says what became of an operation that nobody knows of: that it was not executed, or what it was answered.',
      params: OPERATION, answer: DONE,
      body: objectOf({
        as: { enum: ['not-executed', 'completed'] }, reason: REASON, status: { type: 'integer', minimum: 200, maximum: 599, description: 'Of the reply, where it was completed.' },
        fields: { type: 'array', maxItems: 100, items: { type: 'array', minItems: 2, maxItems: 2, items: { type: 'string', maxLength: 8192 } }, description: 'Header fields of the reply, as pairs.' },
        body_base64: { type: 'string', pattern: '^[A-Za-z0-9+/]*={0,2}$', description: 'The body of the reply. Without it the key is completed without a reply to repeat.' },
      }, ['as', 'reason']),
      async handle(asked) {
        const record = await desk.doubt(await named(asked))
        const resolution = desk.resolution(record, replyOf(asked.body, keptReplyBytes))
        await desk.resolve(record, resolution, asked.act)
        return { operation: record.operationRef, done: 'resolve', flaws: flawedEvents(resolution).map(({ id, sink, flaw }) => `${id} for ${sink}: ${flaw}`) }
      },
    },
    ...(['evict', 'forget'] as const).map((verb): Resource => ({
      method: 'POST', path: `/keys/{operation}/${verb}`, id: `${verb}Key`, params: OPERATION, body: objectOf({ reason: REASON }), answer: DONE,
      summary: verb === 'evict' ? 'Drops the stored reply of a completed key, which stays completed.' : 'Frees a key: the next request with it runs.',
      async handle(asked) {
        const record = await named(asked)
        await desk[verb](record, asked.act)
        return { operation: record.operationRef, done: verb }
      },
    })),
    {
      method: 'GET', path: '/audit/keys', id: 'auditKeys', summary: 'What operators have done to keys, newest first.', query: { limit: LIMIT }, answer: listOf(KEY_ACT),
      handle: async ({ query }) => ({ items: (await store.audit(Number(query['limit']))).map(auditJson), next: null }),
    },
  ]

  async function named({ params }: Asked): Promise<KeyRecord> {
    const [record] = await store.find({ operationRef: params['operation'] ?? '' }, 1)
    if (record === undefined) throw new AdminProblem('not-found', 'no operation has this name')
    return record
  }
}

/** Null for what was not executed. */
function replyOf({ as, status, fields, body_base64: text }: Asked['body'], most: number): StoredReply | null {
  const described = status !== undefined || fields !== undefined || text !== undefined
  if (as === 'not-executed') {
    if (described) throw new AdminProblem('request-invalid', 'what was not executed has no reply')
    return null
  }
  if (typeof status !== 'number') throw new AdminProblem('request-invalid', 'what was completed has a status')
  if (typeof text !== 'string') {
    if (fields !== undefined) throw new AdminProblem('request-invalid', 'fields stand beside body_base64, which may be empty')
    return { kind: 'not-kept', status }
  }
  const body = Buffer.from(text, 'base64')
  if (body.length > most) throw new AdminProblem('request-invalid', `the body has ${body.length} bytes, and a reply is kept up to ${most} (limits.kept_reply); without it the key is completed without its body`)
  const pairs = Array.isArray(fields) ? fields.flat().map(String) : []
  return { kind: 'kept', reply: { status, headers: storable(pairs), body, trailers: [] } }
}

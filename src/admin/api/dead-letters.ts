import type { DeadLetterFilter } from '../../core/outbox.ts'
import type { OutboxStore } from '../../core/outbox-ports.ts'
import { actJson, letterJson } from '../../core/shown.ts'
import { ANY, type LetterDesk } from '../../upkeep/letter-desk.ts'
import { AdminProblem } from '../problems.ts'
import { COUNT, LIMIT, listOf, objectOf, REASON, TEXT, WORD, type Asked, type Resource } from './resource.ts'
import { LETTER, LETTER_ACT, LETTERS } from './shapes.ts'

export interface DeadLettersOptions {
  readonly store: Pick<OutboxStore, 'deadLetters' | 'audit'>
  readonly desk: LetterDesk
}

/** An answer has to come soon: more is for the command line, or for further calls. */
const MOST_AT_ONCE = 500
const REDRIVES_PER_SECOND = 500

const WHICH = { id: WORD, sink: WORD, lane: WORD, type: WORD }
const CHANGE = objectOf({ ...WHICH, limit: { ...LIMIT, maximum: MOST_AT_ONCE, description: 'How many at most, oldest first.' }, reason: REASON }, ['reason'])

/** Dead letters, as `onceward dead-letters` shows and changes them. Their payloads are the command line's alone. */
export function deadLetterResources({ store, desk }: DeadLettersOptions): readonly Resource[] {
  return [
    {
      method: 'GET', path: '/dead-letters', id: 'listDeadLetters', summary: 'Events that were given up, oldest first.',
      query: { ...WHICH, limit: LIMIT, after: { type: 'string', pattern: '^[0-9]{1,16}$', description: '`next` of the page before.' } }, answer: LETTERS,
      async handle({ query }) {
        const limit = Number(query['limit'])
        const found = await store.deadLetters(filterOf(query), limit + 1, query['after'] === undefined ? null : Number(query['after']))
        const letters = found.slice(0, limit)
        return { items: letters.map(letterJson), next: found.length > letters.length ? String(letters.at(-1)?.row) : null }
      },
    },
    {
      method: 'GET', path: '/dead-letters/{id}', id: 'getDeadLetter', summary: 'One of them.', params: { id: WORD }, answer: LETTER,
      async handle({ params }) {
        const [letter] = await store.deadLetters({ ...ANY, id: params['id'] ?? '' }, 1, null)
        if (letter === undefined) throw new AdminProblem('not-found', 'no dead letter has this id')
        return letterJson(letter)
      },
    },
    {
      method: 'POST', path: '/dead-letters/redrive', id: 'redriveDeadLetters', body: CHANGE,
      summary: 'Puts them back to their places in their lanes. What is redriven may arrive twice: an earlier attempt may have been taken.',
      answer: objectOf({ redriven: COUNT, unbuilt: { type: 'array', items: TEXT, description: 'Those that could never be built.' } }),
      handle: ({ body, act }) => desk.redrive({ filter: named(body), limit: limitOf(body) }, REDRIVES_PER_SECOND, act),
    },
    {
      method: 'POST', path: '/dead-letters/discard', id: 'discardDeadLetters', summary: 'Deletes them; what is left is the line in the audit trail.', body: CHANGE, answer: objectOf({ discarded: COUNT }),
      handle: async ({ body, act }) => ({ discarded: await desk.discard({ filter: named(body), limit: limitOf(body) }, act) }),
    },
    {
      method: 'GET', path: '/audit/dead-letters', id: 'auditDeadLetters', summary: 'What operators have done to dead letters, newest first.', query: { limit: LIMIT }, answer: listOf(LETTER_ACT),
      handle: async ({ query }) => ({ items: (await store.audit(Number(query['limit']))).map(actJson), next: null }),
    },
  ]
}

function filterOf(asked: Asked['query']): DeadLetterFilter {
  const word = (name: keyof DeadLetterFilter): string | null => (typeof asked[name] === 'string' ? asked[name] : null)
  return { id: word('id'), sink: word('sink'), lane: word('lane'), type: word('type') }
}

/** Nobody changes all of them by leaving something out. */
function named(body: Asked['body']): DeadLetterFilter {
  const filter = filterOf(body)
  if (Object.values(filter).every((word) => word === null)) throw new AdminProblem('request-invalid', 'id, sink, lane or type says which ones are meant')
  return filter
}

function limitOf({ limit }: Asked['body']): number {
  return typeof limit === 'number' ? limit : MOST_AT_ONCE
}

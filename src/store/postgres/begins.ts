import type { BeginRequest, Begun } from '../../core/record.ts'
import type { Sent } from '../group-commit.ts'
import { answerAll, inOrder } from './answers.ts'
import { ids, numbers, texts } from './columns.ts'
import type { Row, Value } from './connection.ts'
import type { Link } from './link.ts'
import { causeAt, number, text } from './rows.ts'
import { eachRow, expire, pick, touch, type Own } from './standing.ts'

/* Executions of one batch that begin; judged and changed as claims are (claims.ts). */

type Answer = (place: number, begun: Begun) => void

interface Changes {
  readonly take: number[]
  readonly expire: number[]
  readonly own: Own<Begun>[]
}

export function sendBegins(batch: readonly BeginRequest[], link: Link): Promise<Sent<Begun>[]> {
  const until = link.connections.deadline()
  return answerAll<Begun>(inOrder(batch), link.connections, until, async (open, answer) => {
    const changes: Changes = { take: [], expire: [], own: [] }
    const rows = await link.connections.run(link.sql['begin-work'], columns(pick(batch, open), link), until)
    eachRow(rows, open, batch, (row, place, request) => judge(row, place, request, answer, changes))
    if (changes.take.length > 0) await take(changes.take, batch, link, until, answer)
    if (changes.expire.length > 0) await expire(pick(batch, changes.expire), link, until)
    if (changes.own.length > 0) await touch(changes.own, link, until, answer)
  })
}

function judge(row: Row, place: number, request: BeginRequest, answer: Answer, changes: Changes): void {
  switch (text(row, 1)) {
    case 'begun': answer(place, claimedAt(row, request, false)); return
    case 'completed': answer(place, { kind: 'completed' }); return
    case 'gone': answer(place, { kind: 'gone' }); return
    case 'busy': answer(place, { kind: 'busy', retryAfterMs: number(row, 5) }); return
    case 'uncertain': answer(place, { kind: 'uncertain', since: number(row, 6), cause: causeAt(row, 7), fence: number(row, 3), probe: row[9] ?? null, outbox: row[4] ?? null, ageMs: number(row, 8) }); return
    case 'take': changes.take.push(place); return
    case 'expire': changes.expire.push(place); return
    case 'own': changes.own.push({ place, id: request.id, holder: request.holder, fence: number(row, 3), outcome: claimedAt(row, request, request.onOrphan.kind === 'take') }); return
    default: return // `again`: changed under the statement's eyes
  }
}

async function take(places: readonly number[], batch: readonly BeginRequest[], link: Link, until: number, answer: Answer): Promise<void> {
  const rows = await link.connections.run(link.sql['take-work'], columns(pick(batch, places), link), until)
  eachRow(rows, places, batch, (row, place, request) => answer(place, claimedAt(row, request, true)))
}

function claimedAt(row: Row, { id, holder }: BeginRequest, recovering: boolean): Begun {
  return { kind: 'claimed', claim: { id, holder, fence: number(row, 3) }, recovering, retainUntil: number(row, 2), outbox: row[4] ?? null }
}

function columns(requests: readonly BeginRequest[], link: Link): Value[] {
  return [
    link.now(), ids(requests), texts(requests, (request) => request.operationRef), texts(requests, (request) => request.holder),
    numbers(requests, (request) => request.leaseMs), numbers(requests, ({ onOrphan }) => (onOrphan.kind === 'take' ? onOrphan.withinMs : null)),
  ]
}

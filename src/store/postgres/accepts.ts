import type { AcceptedWork, AcceptOutcome, ClaimRequest, KeyId } from '../../core/record.ts'
import type { Sent } from '../group-commit.ts'
import { answerAll, inOrder } from './answers.ts'
import { ids, numbers, Packed, texts } from './columns.ts'
import type { Row, Value } from './connection.ts'
import type { Link } from './link.ts'
import { text } from './rows.ts'
import { packEvents } from './settles.ts'
import { eachRow, expire, keepPromises, pick, promised, standingAt, type Promised } from './standing.ts'

/* Requests of one batch that are executed later; as claims are (claims.ts), and each with its event. */

export interface Accepting {
  readonly id: KeyId
  readonly request: ClaimRequest
  readonly work: AcceptedWork
}

type Answer = (place: number, outcome: AcceptOutcome) => void

interface Changes {
  readonly promises: Promised<AcceptOutcome>[]
  readonly free: number[]
  readonly expire: number[]
}

export function sendAccepts(batch: readonly Accepting[], link: Link): Promise<Sent<AcceptOutcome>[]> {
  const until = link.connections.deadline()
  return answerAll<AcceptOutcome>(inOrder(batch), link.connections, until, async (open, answer) => {
    const changes: Changes = { promises: [], free: [], expire: [] }
    const rows = await link.connections.run(link.sql.accept, columns(pick(batch, open), link), until)
    eachRow(rows, open, batch, (row, place, wish) => judge(row, place, wish, answer, changes))
    await keepPromises(changes.promises, rows.some((row) => row[1] === 'new'), link, until, answer)
    if (changes.free.length > 0) await acceptFree(changes.free, batch, link, until, answer)
    if (changes.expire.length > 0) await expire(pick(batch, changes.expire), link, until)
  })
}

function judge(row: Row, place: number, { id, request: { operationRef } }: Accepting, answer: Answer, changes: Changes): void {
  switch (text(row, 1)) {
    case 'new': answer(place, { kind: 'accepted', operationRef, fresh: true }); return
    case 'over-quota': answer(place, { kind: 'over-quota' }); return
    case 'repeated': changes.promises.push(promised(row, place, id, { kind: 'accepted', operationRef, fresh: true })); return
    case 'free': changes.free.push(place); return
    case 'expire': changes.expire.push(place); return
    default: break
  }
  const standing = standingAt(row)
  if (standing === null) return // `again`: inserted by somebody whom this statement did not see
  if (standing.kind === 'accepted') changes.promises.push(promised(row, place, id, { ...standing, fresh: false }))
  else if (standing.kind === 'replay') changes.promises.push(promised(row, place, id, standing))
  else answer(place, standing)
}

async function acceptFree(places: readonly number[], batch: readonly Accepting[], link: Link, until: number, answer: Answer): Promise<void> {
  const rows = await link.connections.run(link.sql['accept-free'], columns(pick(batch, places), link), until)
  eachRow(rows, places, batch, (_, place, { request: { operationRef } }) => answer(place, { kind: 'accepted', operationRef, fresh: true }))
}

function columns(wishes: readonly Accepting[], link: Link): Value[] {
  const of = (read: (request: ClaimRequest) => string | null): string => texts(wishes, ({ request }) => read(request))
  const packed = new Packed()
  const events = packEvents(wishes.map(({ work }) => work), packed)
  return [
    link.now(), ids(wishes),
    of((request) => request.keyDigest), of((request) => request.operationRef), of((request) => request.fingerprint), of((request) => request.spec),
    of((request) => request.parts), of((request) => request.holder), of((request) => request.route), numbers(wishes, ({ request }) => request.retentionMs),
    of((request) => request.probe), of((request) => request.outbox), texts(wishes, ({ work }) => work.owner), numbers(wishes, ({ work }) => work.quota),
    packed.bytes(), ...events,
  ]
}

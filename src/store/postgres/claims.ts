import type { ClaimOutcome, ClaimRequest } from '../../core/record.ts'
import type { Sent } from '../group-commit.ts'
import { answerAll, inOrder } from './answers.ts'
import { ids, numbers, texts } from './columns.ts'
import type { Row, Value } from './connection.ts'
import type { Link } from './link.ts'
import { number, text } from './rows.ts'
import { eachRow, expire, keepPromises, pick, promised, standingAt, touch, type Own, type Promised } from './standing.ts'

/*
 * Claims of one batch. claim.sql inserts what is new and judges what is there; what a claim changes in an existing row is
 * changed by a second statement that judges again under the row's lock. Neither answers what it did not see: such claims
 * are asked about once more.
 */

type Answer = (place: number, outcome: ClaimOutcome) => void

/** Places of claims whose rows have to be changed first. */
interface Changes {
  readonly promises: Promised<ClaimOutcome>[]
  readonly free: number[]
  readonly take: number[]
  readonly expire: number[]
  readonly own: Own<ClaimOutcome>[]
}

export function sendClaims(batch: readonly ClaimRequest[], link: Link): Promise<Sent<ClaimOutcome>[]> {
  const until = link.connections.deadline()
  return answerAll<ClaimOutcome>(inOrder(batch), link.connections, until, async (open, answer) => {
    const changes: Changes = { promises: [], free: [], take: [], expire: [], own: [] }
    const rows = await link.connections.run(link.sql.claim, columns(pick(batch, open), link), until)
    eachRow(rows, open, batch, (row, place, request) => judge(row, place, request, answer, changes))
    await keepPromises(changes.promises, rows.some((row) => row[1] === 'new'), link, until, answer)
    if (changes.free.length > 0) await claimBy('claim-free', changes.free, batch, link, until, answer)
    if (changes.take.length > 0) await claimBy('claim-orphan', changes.take, batch, link, until, answer)
    if (changes.expire.length > 0) await expire(pick(batch, changes.expire), link, until)
    if (changes.own.length > 0) await touch(changes.own, link, until, answer)
  })
}

function judge(row: Row, place: number, request: ClaimRequest, answer: Answer, changes: Changes): void {
  switch (text(row, 1)) {
    case 'new': answer(place, claimedNew(row, request)); return
    case 'free': changes.free.push(place); return
    case 'take': changes.take.push(place); return
    case 'expire': changes.expire.push(place); return
    case 'own': changes.own.push({ place, id: request.id, holder: request.holder, fence: number(row, 4), outcome: claimedBefore(row, request) }); return
    default: break
  }
  const standing = standingAt(row)
  if (standing === null) return // `again`: inserted by somebody whom this statement did not see
  if (standing.kind === 'replay' || standing.kind === 'accepted') changes.promises.push(promised(row, place, request.id, standing))
  else answer(place, standing)
}

async function claimBy(name: 'claim-free' | 'claim-orphan', places: readonly number[], batch: readonly ClaimRequest[], link: Link, until: number, answer: Answer): Promise<void> {
  const rows = await link.connections.run(link.sql[name], columns(pick(batch, places), link), until)
  eachRow(rows, places, batch, (row, place, request) => answer(place, row[1] === 'new' ? claimedNew(row, request) : claimedBefore(row, request)))
}

function claimedNew(row: Row, { id, holder, operationRef }: ClaimRequest): ClaimOutcome {
  return { kind: 'claimed', claim: { id, holder, fence: 1 }, recovering: false, operationRef, retainUntil: number(row, 2) }
}

function claimedBefore(row: Row, { id, holder }: ClaimRequest): ClaimOutcome {
  const fence = number(row, 4)
  return { kind: 'claimed', claim: { id, holder, fence }, recovering: fence > 1, operationRef: text(row, 3), retainUntil: number(row, 2) }
}

function columns(requests: readonly ClaimRequest[], link: Link): Value[] {
  return [
    link.now(), ids(requests),
    texts(requests, (request) => request.keyDigest), texts(requests, (request) => request.operationRef), texts(requests, (request) => request.fingerprint),
    texts(requests, (request) => request.spec), texts(requests, (request) => request.parts), texts(requests, (request) => request.holder),
    texts(requests, (request) => request.route), numbers(requests, (request) => request.leaseMs), numbers(requests, (request) => request.retentionMs),
    numbers(requests, ({ onOrphan }) => (onOrphan.kind === 'take' ? onOrphan.withinMs : null)),
    texts(requests, (request) => request.probe), texts(requests, (request) => request.outbox),
  ]
}

import type { ClaimOutcome, ClaimRequest } from '../../core/record.ts'
import type { Sent } from '../group-commit.ts'
import { answerAll, inOrder } from './answers.ts'
import { ids, numbers, texts } from './columns.ts'
import type { Row, Value } from './connection.ts'
import { isConfirmed, isReplicated } from './confirm.ts'
import type { Link } from './link.ts'
import { causeAt, number, replyAt, text } from './rows.ts'

/*
 * Claims of one batch. claim.sql inserts what is new and judges what is there; what a claim changes in an existing row is
 * changed by a second statement that judges again under the row's lock. Neither answers what it did not see: such claims
 * are asked about once more.
 */

type Answer = (place: number, outcome: ClaimOutcome) => void

/** Places of claims whose rows have to be changed first. */
interface Changes {
  readonly replays: Replay[]
  readonly free: number[]
  readonly take: number[]
  readonly expire: number[]
  readonly own: Own[]
}

/** A reply that stands there already, and whether this server has standbys to wait for. */
interface Replay {
  readonly place: number
  readonly id: string
  readonly replicated: boolean
  readonly outcome: ClaimOutcome
}

/** A row that this holder has already: what it was told then, once it is written again. */
interface Own {
  readonly place: number
  readonly id: string
  readonly holder: string
  readonly fence: number
  readonly outcome: ClaimOutcome
}

export function sendClaims(batch: readonly ClaimRequest[], link: Link): Promise<Sent<ClaimOutcome>[]> {
  const until = link.connections.deadline()
  return answerAll<ClaimOutcome>(inOrder(batch), link.connections, until, async (open, answer) => {
    const requests = pick(batch, open)
    const changes: Changes = { replays: [], free: [], take: [], expire: [], own: [] }
    const rows = await link.connections.run(link.sql.claim, columns(requests, link), until)
    for (const row of rows) {
      const at = number(row, 0) - 1
      const [place, request] = [open[at], requests[at]]
      if (place !== undefined && request !== undefined) judge(row, place, request, answer, changes)
    }
    await replay(changes.replays, rows.some((row) => row[1] === 'new'), link, until, answer)
    if (changes.free.length > 0) await claimBy('claim-free', changes.free, batch, link, until, answer)
    if (changes.take.length > 0) await claimBy('claim-orphan', changes.take, batch, link, until, answer)
    if (changes.expire.length > 0) await expire(pick(batch, changes.expire), link, until)
    if (changes.own.length > 0) await touch(changes.own, link, until, answer)
  })
}

function judge(row: Row, place: number, request: ClaimRequest, answer: Answer, changes: Changes): void {
  switch (text(row, 1)) {
    case 'new': answer(place, claimedNew(row, request)); break
    case 'replay': changes.replays.push({ place, id: request.id, replicated: isReplicated(row, 15), outcome: { kind: 'replay', reply: replyAt(row, 11), fence: number(row, 4), fingerprint: text(row, 10), spec: text(row, 8), parts: text(row, 9), operationRef: text(row, 3), retainUntil: number(row, 2) } }); break
    case 'busy': answer(place, { kind: 'busy', retryAfterMs: number(row, 5), operationRef: text(row, 3) }); break
    case 'mismatch': answer(place, { kind: 'mismatch', spec: text(row, 8), parts: text(row, 9), operationRef: text(row, 3) }); break
    case 'uncertain': answer(place, { kind: 'uncertain', since: number(row, 6), cause: causeAt(row, 7), operationRef: text(row, 3), fence: number(row, 4), probe: row[17] ?? null, outbox: row[18] ?? null, ageMs: number(row, 16) }); break
    case 'free': changes.free.push(place); break
    case 'take': changes.take.push(place); break
    case 'expire': changes.expire.push(place); break
    case 'own': changes.own.push({ place, id: request.id, holder: request.holder, fence: number(row, 4), outcome: claimedBefore(row, request) }); break
    default: break // `again`: inserted by somebody whom this statement did not see
  }
}

/**
 * What was read is as durable as a commit that was waited for after it: that of the claims of the same statement, or one that
 * is made for it. Without standbys everything that can be read is durable.
 */
async function replay(replays: readonly Replay[], committed: boolean, link: Link, until: number, answer: Answer): Promise<void> {
  const [first] = replays
  if (first === undefined) return
  if (!committed && first.replicated && !await isConfirmed(first.id, link, until)) return // it has changed: asked again
  for (const { place, outcome } of replays) answer(place, outcome)
}

async function claimBy(name: 'claim-free' | 'claim-orphan', places: readonly number[], batch: readonly ClaimRequest[], link: Link, until: number, answer: Answer): Promise<void> {
  const requests = pick(batch, places)
  const rows = await link.connections.run(link.sql[name], columns(requests, link), until)
  for (const row of rows) {
    const at = number(row, 0) - 1
    const [place, request] = [places[at], requests[at]]
    if (place !== undefined && request !== undefined) answer(place, row[1] === 'new' ? claimedNew(row, request) : claimedBefore(row, request))
  }
}

/** Nobody is answered here: who claims such a key reads the doubt in its next round. */
async function expire(requests: readonly ClaimRequest[], link: Link, until: number): Promise<void> {
  const rows = await link.connections.run(link.sql.expire, [link.now(), ids(requests), requests.length], until)
  link.wake(rows.flatMap((row) => (row[1] === 't' ? requests[number(row, 0) - 1]?.id ?? [] : [])))
}

async function touch(owns: readonly Own[], link: Link, until: number, answer: Answer): Promise<void> {
  const rows = await link.connections.run(link.sql.touch, [ids(owns), texts(owns, (own) => own.holder), numbers(owns, (own) => own.fence)], until)
  for (const row of rows) {
    const own = owns[number(row, 0) - 1]
    if (own !== undefined && row[1] === 'in_flight') answer(own.place, own.outcome)
  }
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

function pick<T>(batch: readonly T[], places: readonly number[]): T[] {
  return places.flatMap((place) => batch[place] ?? [])
}

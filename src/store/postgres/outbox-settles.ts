import type { EventEnd, Lead } from '../../core/outbox.ts'
import type { WriteOutcome } from '../../core/record.ts'
import { storableText } from '../../core/storable-text.ts'
import type { Sent } from '../group-commit.ts'
import type { TakenEvents } from '../taken-events.ts'
import { answerAll } from './answers.ts'
import { numbers, texts } from './columns.ts'
import type { Link } from './link.ts'

/*
 * How deliveries of one sink ended, for a whole batch of calls. What was delivered is deleted by one statement and what failed is
 * written by another, since engines are in use that change a table only once in a statement; each of them holds the lease's row
 * until it has committed. If somebody takes over between the two, the first half of a call that has both stands and the call is
 * fenced: then what was delivered is gone, and what failed is delivered again by the new leader with one attempt more than it
 * would have. This way around nothing that was delivered comes a second time.
 */

export interface Settling {
  readonly lead: Lead
  readonly ends: readonly EventEnd[]
}

type Failed = Exclude<EventEnd, { kind: 'delivered' }>

export function sendSettles(batch: readonly Settling[], link: Link, taken: TakenEvents): Promise<Sent<WriteOutcome>[]> {
  const until = link.connections.deadline()
  return answerAll<WriteOutcome>([...batch.keys()], link.connections, until, async (open, answer) => {
    for (const places of byLead(batch, open)) {
      const lead = batch[places[0] ?? -1]?.lead
      if (lead === undefined) continue
      const ends = places.flatMap((place) => batch[place]?.ends ?? [])
      const failed = ends.filter(isFailed)
      const stood = failed.length === ends.length && failed.length > 0 ? true : await deleteDelivered(lead, ends, link, until)
      const stands = stood && failed.length > 0 ? await writeFailed(lead, failed, link, until, taken) : stood
      for (const place of places) answer(place, (batch[place]?.ends.some(isFailed) === true ? stands : stood) ? 'written' : 'fenced')
    }
  })
}

/** Also for calls without ends: whether the leadership stands. */
async function deleteDelivered({ sink, holder, fence }: Lead, ends: readonly EventEnd[], link: Link, until: number): Promise<boolean> {
  const delivered = ends.filter(({ kind }) => kind === 'delivered')
  const rows = await link.connections.run(link.sql['settle-delivered'], [sink, holder, fence, numbers(delivered, ({ row }) => row)], until)
  return rows.length > 0
}

async function writeFailed({ sink, holder, fence }: Lead, ends: readonly Failed[], link: Link, until: number, taken: TakenEvents): Promise<boolean> {
  const failed = ends.toSorted((a, b) => a.row - b.row)
  const rows = await link.connections.run(link.sql['settle-failed'], [
    link.now(), sink, holder, fence,
    numbers(failed, ({ row }) => row), texts(failed, ({ cause }) => storableText(cause)),
    numbers(failed, (end) => (end.kind === 'retry' ? Math.round(end.afterMs) : null)), texts(failed, (end) => String(end.kind === 'dead' && end.blocks)),
    texts(failed, (end) => String(end.kind === 'dead' || end.counted)), numbers(failed, ({ row }) => taken.attemptsOf(sink, row)),
  ], until)
  return rows.length > 0
}

function isFailed(end: EventEnd): end is Failed {
  return end.kind !== 'delivered'
}

/** Places of calls under the same lead; mostly all of them. */
function byLead(batch: readonly Settling[], open: readonly number[]): number[][] {
  const groups = new Map<string, number[]>()
  for (const place of open) {
    const { holder, fence } = batch[place]?.lead ?? { holder: '', fence: 0 }
    const key = `${fence} ${holder}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [place])
    else group.push(place)
  }
  return [...groups.values()]
}

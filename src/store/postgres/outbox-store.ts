import { OPERATIONS_SINK } from '../../core/operations.ts'
import type { DeadLetter, DeadLetterFilter, EventEnd, Lead, Leadership, OutboxAct, Redriven, SinkCensus, Taken, Wanted } from '../../core/outbox.ts'
import type { Brought, OutboxStore } from '../../core/outbox-ports.ts'
import type { Act, WriteOutcome } from '../../core/record.ts'
import { GroupCommit } from '../group-commit.ts'
import { TakenEvents } from '../taken-events.ts'
import { Packed, texts } from './columns.ts'
import type { Row, Value } from './connection.ts'
import type { Link } from './link.ts'
import { deadLetterOf, outboxActOf, sinkCensusOf, waitingEventOf } from './outbox-rows.ts'
import { sendSettles, type Settling } from './outbox-settles.ts'
import { number } from './rows.ts'
import { packEvents } from './settles.ts'
import { runAlone, runTogether } from './run-alone.ts'
import type { StatementName } from './statements.ts'

/** Calls of one statement: a relay's lanes that end in one tick. */
const MAX_SETTLES = 256
/** Lanes that are looked at for each that is wanted: a look takes some 10 us of the server, and no call is to be long. */
const LOOKS_PER_LANE = 4

/** The events that wait, beside the keys and by the same connections. */
export class PostgresOutboxStore implements OutboxStore {
  readonly #link: Link
  readonly #taken = new TakenEvents()
  /** for each sink, so that none waits for another's locks; there are as many as were ever configured */
  readonly #settles = new Map<string, GroupCommit<Settling, WriteOutcome>>()
  readonly #fences = new Map<string, number>()
  readonly #underWay = new Set<Promise<unknown>>()

  constructor(link: Link) {
    this.#link = link
  }

  async lead(sink: string, holder: string, leaseMs: number): Promise<Leadership> {
    for (;;) {
      const [row] = await this.#run('lead', [this.#link.now(), sink, holder, Math.round(leaseMs)])
      if (row === undefined) continue // somebody else was the first: the next snapshot has their row
      if (row[0] !== 'leading') return { kind: 'following', againMs: Math.max(1, number(row, 1)) }
      const fence = number(row, 1)
      if (this.#fences.get(sink) !== fence) this.#taken.forget(sink)
      this.#fences.set(sink, fence)
      return { kind: 'leading', lead: { sink, holder, fence } }
    }
  }

  async resign({ sink, holder, fence }: Lead): Promise<void> {
    await this.#run('resign', [sink, holder, fence])
  }

  async take({ sink, after, lanes, perLane, bytes, busy }: Wanted): Promise<Taken> {
    const looks = lanes * LOOKS_PER_LANE + busy.length
    const rows = await this.#run('take', [this.#link.now(), sink, after, lanes, perLane, Math.floor(bytes), texts(busy, (lane) => lane), looks])
    const events = rows.filter(([row]) => row !== null).map(waitingEventOf)
    const [next = null, dueIn = null, at = null] = rows[0]?.slice(8) ?? [] // one row at least, if only to say these
    this.#taken.took(sink, events)
    return { events, at: Number(at), next, dueInMs: dueIn === null ? null : Number(dueIn) }
  }

  async settle(lead: Lead, ends: readonly EventEnd[]): Promise<WriteOutcome> {
    const outcome = await this.#settlesOf(lead.sink).submit({ lead, ends }, 0)
    this.#taken.settled(lead.sink, ends)
    return outcome
  }

  async position(source: string): Promise<string | null> {
    const [row] = await this.#run('source-position', [source])
    return row?.[0] ?? null
  }

  async bring({ sink, holder, fence }: Lead, source: string, { events, from, to }: Brought): Promise<WriteOutcome> {
    const packed = new Packed()
    const columns = packEvents(events.map((event) => ({ event })), packed)
    const rows = await this.#run('bring', [this.#link.now(), sink, holder, fence, source, from, to, packed.bytes(), ...columns])
    return rows.length > 0 ? 'written' : 'fenced'
  }

  async arrivals(sink: string, windowMs: number, limit: number): Promise<number> {
    const [row = []] = await this.#run('arrivals', [this.#link.now(), sink, Math.round(windowMs), Math.ceil(limit)])
    return number(row, 0)
  }

  async census(sinks: readonly string[]): Promise<readonly SinkCensus[]> {
    const counted = (await this.#run('outbox-census', [this.#link.now(), texts(sinks, (sink) => sink)])).map(sinkCensusOf)
    const asked = sinks.flatMap((sink) => counted.find((one) => one.sink === sink) ?? [])
    return [...asked, ...counted.filter(({ sink }) => !sinks.includes(sink))]
  }

  async deadLetters(filter: DeadLetterFilter, limit: number, after: number | null): Promise<readonly DeadLetter[]> {
    return (await this.#run('dead-letters', [...valuesOf(filter), after ?? 0, limit])).map(deadLetterOf)
  }

  async redrive(filter: DeadLetterFilter, limit: number, act: Act): Promise<Redriven> {
    const [row = []] = await this.#run('redrive', [this.#link.now(), act.by, act.reason, ...valuesOf(filter), limit])
    return { redriven: number(row, 0), unbuilt: number(row, 1) }
  }

  /** An accepted operation's record is seen to in the transaction that deletes its dead letter: without its event it would wait forever. */
  async discard(filter: DeadLetterFilter, limit: number, act: Act): Promise<number> {
    const meant = [this.#link.now(), act.by, act.reason, ...valuesOf(filter), limit, OPERATIONS_SINK]
    const works = filter.sink === null || filter.sink === OPERATIONS_SINK ? (await this.#run('dead-work', meant.slice(3, 9))).map(([id]) => id ?? '') : []
    const names = texts(works, (id) => id)
    if (works.length === 0) return countAt(await this.#run('discard', [...meant, names]))
    const [, , discarded = []] = await this.#during(runTogether(this.#link, [['detach-work', [names]], ['drop-work', [names]], ['discard', [...meant, names]]]))
    return countAt(discarded)
  }

  async audit(limit: number): Promise<readonly OutboxAct[]> {
    return (await this.#run('outbox-audit', [limit])).map(outboxActOf)
  }

  /** Resolves when everything that was asked before is answered; the connections are somebody else's to close. */
  async close(): Promise<void> {
    await Promise.all([...this.#settles.values()].map((calls) => calls.close()))
    await Promise.allSettled(this.#underWay)
  }

  #settlesOf(sink: string): GroupCommit<Settling, WriteOutcome> {
    let settles = this.#settles.get(sink)
    if (settles === undefined) {
      settles = new GroupCommit({ send: (batch) => sendSettles(batch, this.#link, this.#taken), connections: 1, maxOperations: MAX_SETTLES, maxBytes: Infinity })
      this.#settles.set(sink, settles)
    }
    return settles
  }

  #run(name: StatementName, values: Value[]): Promise<readonly Row[]> {
    return this.#during(runAlone(this.#link, name, values))
  }

  /** A call that `close` waits for. */
  #during<T>(answer: Promise<T>): Promise<T> {
    this.#underWay.add(answer)
    const over = (): boolean => this.#underWay.delete(answer)
    answer.then(over, over)
    return answer
  }
}

function countAt([row = []]: readonly Row[]): number {
  return number(row, 0)
}

function valuesOf({ id, sink, lane, type }: DeadLetterFilter): Value[] {
  return [id, sink, lane, type]
}

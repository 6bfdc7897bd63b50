import type { DeadLetter, DeadLetterFilter, EventEnd, Lead, Leadership, OutboxAct, Redriven, SinkCensus, Taken, Wanted } from '../../core/outbox.ts'
import type { Brought, OutboxStore } from '../../core/outbox-ports.ts'
import type { Act, WriteOutcome } from '../../core/record.ts'
import type { GroupCommit } from '../group-commit.ts'
import { TakenEvents } from '../taken-events.ts'
import { surprised, type Answered, type WrittenCall } from './connection.ts'
import type { OutboxCall } from './outbox-wire.ts'
import { copyOf, wiredEvents } from './wire.ts'

/** The events that wait, in the worker's batches beside claims and completions. */
export class EmbeddedOutboxStore implements OutboxStore {
  readonly #calls: GroupCommit<WrittenCall, Answered>
  readonly #taken = new TakenEvents()
  readonly #fences = new Map<string, number>()

  constructor(calls: GroupCommit<WrittenCall, Answered>) {
    this.#calls = calls
  }

  async lead(sink: string, holder: string, leaseMs: number): Promise<Leadership> {
    const { answer } = await this.#ask(['lead', sink, holder, leaseMs])
    if (answer[0] === 'following') return { kind: 'following', againMs: answer[1] }
    if (answer[0] !== 'leading') return surprised(answer)
    const [, fence] = answer
    if (this.#fences.get(sink) !== fence) this.#taken.forget(sink)
    this.#fences.set(sink, fence)
    return { kind: 'leading', lead: { sink, holder, fence } }
  }

  async resign({ sink, holder, fence }: Lead): Promise<void> {
    await this.#ask(['resign', sink, holder, fence])
  }

  async take({ sink, after, lanes, perLane, bytes, busy }: Wanted): Promise<Taken> {
    const { answer, bodies } = await this.#ask(['take', sink, after, lanes, perLane, bytes, busy])
    if (answer[0] !== 'taken') return surprised(answer)
    const [, wired, at, next, dueInMs] = answer
    const events = wired.map(([event, place]) => ({ ...event, payload: copyOf(place, bodies) ?? new Uint8Array(0) }))
    this.#taken.took(sink, events)
    return { events, at, next, dueInMs }
  }

  async settle(lead: Lead, ends: readonly EventEnd[]): Promise<WriteOutcome> {
    const { sink, holder, fence } = lead
    const { answer } = await this.#ask(['settle-events', sink, holder, fence, ends, ends.map(({ row }) => this.#taken.attemptsOf(sink, row))])
    if (answer[0] !== 'written' && answer[0] !== 'fenced') return surprised(answer)
    this.#taken.settled(sink, ends)
    return answer[0]
  }

  async position(source: string): Promise<string | null> {
    const { answer } = await this.#ask(['position', source])
    return answer[0] === 'position' ? answer[1] : surprised(answer)
  }

  async bring({ sink, holder, fence }: Lead, source: string, { events, from, to }: Brought): Promise<WriteOutcome> {
    const bytes = events.reduce((sum, { payload }) => sum + payload.length, 0)
    const { answer } = await this.#calls.submit((bodies) => ['bring', sink, holder, fence, source, from, to, wiredEvents(events, bodies)], bytes)
    return answer[0] === 'written' || answer[0] === 'fenced' ? answer[0] : surprised(answer)
  }

  async arrivals(sink: string, windowMs: number, limit: number): Promise<number> {
    const { answer } = await this.#ask(['arrivals', sink, windowMs, Math.ceil(limit)])
    return answer[0] === 'count' ? answer[1] : surprised(answer)
  }

  async census(sinks: readonly string[]): Promise<readonly SinkCensus[]> {
    const { answer } = await this.#ask(['outbox-census', sinks])
    return answer[0] === 'sinks' ? answer[1] : surprised(answer)
  }

  async deadLetters(filter: DeadLetterFilter, limit: number, after: number | null): Promise<readonly DeadLetter[]> {
    const { answer, bodies } = await this.#ask(['dead-letters', filter, limit, after ?? 0])
    if (answer[0] !== 'letters') return surprised(answer)
    return answer[1].map(([letter, place]) => ({ ...letter, payload: copyOf(place, bodies) ?? new Uint8Array(0) }))
  }

  async redrive(filter: DeadLetterFilter, limit: number, act: Act): Promise<Redriven> {
    const { answer } = await this.#ask(['redrive', filter, limit, act])
    return answer[0] === 'redriven' ? answer[1] : surprised(answer)
  }

  async discard(filter: DeadLetterFilter, limit: number, act: Act): Promise<number> {
    const { answer } = await this.#ask(['discard', filter, limit, act])
    return answer[0] === 'count' ? answer[1] : surprised(answer)
  }

  async audit(limit: number): Promise<readonly OutboxAct[]> {
    const { answer } = await this.#ask(['outbox-audit', limit])
    return answer[0] === 'acts' ? answer[1] : surprised(answer)
  }

  #ask(call: OutboxCall): Promise<Answered> {
    return this.#calls.submit(() => call, 0)
  }
}

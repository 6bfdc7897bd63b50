import type { OutboxEvent } from '../../core/event.ts'
import type { Act, AuditEntry, DoubtCause, Eviction, Forgetting, Parts } from '../../core/record.ts'
import type { OutboxAnswer, OutboxCall, WiredEvent } from './outbox-wire.ts'
import type { ShadowEnd, ShadowRequest, ShadowVerdict } from '../../core/shadow.ts'
import type { Row } from './rows.ts'

/*
 * What crosses between the main thread and the worker: one message per batch each way. Calls and answers are tuples
 * of strings and numbers, which structured clone copies cheaply; all bodies of a batch travel as one transferred
 * buffer, and a tuple holds a body's place in it. (A cloned Buffer would take its whole 8 KiB pool along.)
 */

export type Place = number

/** A reply as three columns and a body; `headers` null: the body was not kept. */
export type WiredReply = [status: number, headers: string | null, trailers: string | null, body: Place]

/** What a claim asks for. */
export type WiredRequest = [
  id: string, keyDigest: string, operationRef: string, fingerprint: string, spec: string, parts: Parts, holder: string, route: string,
  leaseMs: number, retentionMs: number, takeWithinMs: number | null, probe: string | null, outbox: string | null,
]

export type Call =
  | ['claim', request: WiredRequest]
  | ['accept', request: WiredRequest, event: WiredEvent, owner: string, quota: number]
  | ['begin', id: string, operationRef: string, holder: string, leaseMs: number, takeWithinMs: number | null]
  | ['renew', id: string, holder: string, fence: number, leaseMs: number]
  | ['complete', id: string, holder: string, fence: number, attempts: number, reply: WiredReply, events: WiredEvent[]]
  | ['release', id: string, holder: string, fence: number]
  | ['abandon', id: string, holder: string, fence: number, cause: DoubtCause, attempts: number]
  | ['resolve-completed', id: string, fence: number, reply: WiredReply, events: WiredEvent[], act: Act | null]
  | ['resolve-not-executed', id: string, fence: number, operationRef: string | null, act: Act | null]
  | ['evict', id: string, act: Act]
  | ['forget', id: string, act: Act]
  | ['audit', limit: number]
  | ['find', by: 'id' | 'keyDigest' | 'operationRef' | 'state', value: string, limit: number]
  | ['doubts', limit: number]
  | ['reap', limit: number]
  | ['sweep', limit: number]
  | ['census']
  | ['secret', candidate: string]
  | ['key-space', seen: string | null, next: string]
  | OutboxCall
  | ShadowCall

/** About the notes of shadowed routes: a batch of them is one call. */
export type ShadowCall =
  | ['shadow-look', requests: readonly ShadowRequest[]]
  | ['shadow-end', ends: readonly ShadowEnd[]]
  | ['shadow-sweep', limit: number]

export type Answer =
  | ['claimed', fence: number, recovering: boolean, operationRef: string, retainUntil: number]
  | ['replay', reply: WiredReply, fence: number, fingerprint: string, spec: string, parts: Parts, operationRef: string, retainUntil: number]
  | ['accepted', operationRef: string, fresh: boolean]
  | ['over-quota']
  | ['begun', fence: number, recovering: boolean, retainUntil: number, outbox: string | null]
  | ['completed']
  | ['gone']
  | ['busy', retryAfterMs: number, operationRef: string]
  | ['mismatch', spec: string, parts: Parts, operationRef: string]
  | ['uncertain', since: number, cause: DoubtCause, operationRef: string, fence: number, probe: string | null, ageMs: number, outbox: string | null]
  | ['written']
  | ['fenced']
  | ['eviction', eviction: Eviction]
  | ['forgetting', forgetting: Forgetting]
  | ['audit', entries: AuditEntry[]]
  /** each row's body is null here; its place stands beside it, -1 for none */
  | ['records', rows: Row[], bodies: Place[]]
  | ['count', count: number]
  | ['census', inFlight: number, uncertain: number, completed: number]
  | ['secret', secret: string]
  | ['key-space', standing: string]
  | OutboxAnswer
  | ['shadows', verdicts: ShadowVerdict[]]
  | ['failed', written: 'no' | 'unknown', detail: string]

/** What crosses the threads: lists as JSON text, which V8 writes and reads at a fraction of what a structured clone of them costs. */
export type Batch = [nowMs: number, calls: Json<Call[]>, lengths: number[], bodies: Uint8Array<ArrayBuffer>]
export type Answers = [answers: Json<Answer[]>, lengths: number[], bodies: Uint8Array<ArrayBuffer>]

/** The text of a value that JSON can hold; only `toJson` makes one, so that `fromJson` gives back what was put in. */
export type Json<Value> = string & { readonly of: Value }

export function toJson<Value>(value: Value): Json<Value>
export function toJson(value: unknown): string {
  return JSON.stringify(value)
}

export function fromJson<Value>(text: Json<Value>): Value
export function fromJson(text: string): unknown {
  return JSON.parse(text)
}

/** What the worker says first. */
export type Greeting = ['opened'] | ['refused', detail: string]

/** A generation of young records closes at this many, or at this many bytes of bodies; see folding.ts. */
export interface FoldingSizes {
  readonly records: number
  readonly bytes: number
}

export interface WorkerOptions {
  readonly dataDir: string
  readonly quickCheckUpToBytes: number
  readonly folding: FoldingSizes
}

/** Asks the worker to put everything into the database file and let go of it; it answers null. */
export const CLOSE = 'close'

/** No body at all, where a place is asked for. */
export const NOWHERE: Place = -1

/** Collects a message's bodies. */
export class Bodies {
  readonly #bodies: Uint8Array[] = []
  readonly lengths: number[] = []
  #bytes = 0

  add(body: Uint8Array): Place {
    this.#bytes += body.length
    this.#bodies.push(body)
    return this.lengths.push(body.length) - 1
  }

  /** A buffer of its own, so that it can be transferred. */
  packed(): Uint8Array<ArrayBuffer> {
    const packed = new Uint8Array(this.#bytes)
    let offset = 0
    for (const body of this.#bodies) {
      packed.set(body, offset)
      offset += body.length
    }
    return packed
  }
}

/** Views into `packed`, one per length; whoever keeps one keeps all of them in memory. */
export function unpack(lengths: readonly number[], packed: Uint8Array): Uint8Array[] {
  let offset = 0
  return lengths.map((length) => packed.subarray(offset, offset += length))
}

/** Null for NOWHERE. */
export function bodyAt(place: Place, bodies: readonly Uint8Array[]): Uint8Array | null {
  return bodies[place] ?? null
}

/** A copy: a view would keep the bodies of its whole batch in memory as long as somebody keeps this one. */
export function copyOf(place: Place, bodies: readonly Uint8Array[]): Uint8Array | null {
  return bodyAt(place, bodies)?.slice() ?? null
}

export function wiredEvents(events: readonly OutboxEvent[], bodies: Bodies): WiredEvent[] {
  return events.map((event) => wiredEvent(event, bodies))
}

export function wiredEvent({ id, sink, lane, type, payload, flaw }: OutboxEvent, bodies: Bodies): WiredEvent {
  return [id, sink, lane, type, bodies.add(payload), flaw]
}

import { auditEntry } from '../../src/core/audit.ts'
import type { OutboxEvent } from '../../src/core/event.ts'
import { StoreUnavailable, type Clock, type KeyStore, type Wakeups } from '../../src/core/ports.ts'
import type { Act, AuditEntry, Claim, KeyId, KeyRecord } from '../../src/core/record.ts'
import { endsWork, isFree, onAbandon, onAccept, onBegin, onClaim, onComplete, onDiscard, onEvict, onForget, onReap, onRelease, onRenew, onResolve, type Judged } from '../../src/core/transition.ts'
import { Flagged, NOBODY_WAITS } from '../../src/store/flagged.ts'
import { LentDoubts } from '../../src/store/lent-doubts.ts'
import { MemoryOutboxStore } from './memory-outbox-store.ts'

/**
 * A KeyStore without a disk, for tests of the flows: the transitions of the core over a map. It passes the same
 * contract suite as the real ones, and is the model that the suite compares them with.
 */
export class MemoryKeyStore implements KeyStore {
  readonly #outbox: MemoryOutboxStore
  readonly #clock: Clock
  readonly #records = new Map<KeyId, KeyRecord>()
  readonly #audit: AuditEntry[] = []
  readonly #flagged: Flagged
  readonly #lent: LentDoubts
  #secret: string | undefined
  #keySpace: string | null = null
  #closed = false

  /** `outbox`: where its events are committed, in the same database as it were */
  constructor(clock: Clock, wakeups: Pick<Wakeups, 'publish'> = NOBODY_WAITS, outbox = new MemoryOutboxStore(clock)) {
    this.#clock = clock
    this.#outbox = outbox
    outbox.discardsWork = (operationRef) => this.#discard(operationRef)
    this.#lent = new LentDoubts(clock)
    this.#flagged = new Flagged(wakeups)
  }

  /** all that were committed and are still there, in the order of their commits */
  get events(): readonly OutboxEvent[] {
    return this.#outbox.events
  }

  secret: KeyStore['secret'] = (candidate) => this.#turn(() => this.#secret ??= candidate)

  keySpace: KeyStore['keySpace'] = (seen, next) => this.#turn(() => this.#keySpace = this.#keySpace === null || this.#keySpace === seen ? next : this.#keySpace)

  claim: KeyStore['claim'] = (request, givenUp) => this.#turn((nowMs) => {
    if (givenUp?.() === true) throw new StoreUnavailable('no', 'given up before it left for the store')
    return this.#apply(request.id, onClaim(this.#records.get(request.id), request, nowMs))
  })

  accept: KeyStore['accept'] = (request, { event, owner, quota }) => this.#turn((nowMs) => {
    const judged = onAccept(this.#records.get(request.id), request, owner, this.#outbox.waitingOf(owner) < quota, nowMs)
    return this.#apply(request.id, judged, judged.outcome.kind === 'accepted' ? [event] : [])
  })

  begin: KeyStore['begin'] = (request) => this.#turn((nowMs) => this.#apply(request.id, onBegin(this.#records.get(request.id), request, nowMs)))

  renew: KeyStore['renew'] = (claims) => this.#turn((nowMs) => (
    claims.map(({ claim, leaseMs }) => this.#apply(claim.id, onRenew(this.#of(claim), claim, leaseMs, nowMs)))
  ))

  complete: KeyStore['complete'] = (claim, completion) => this.#turn((nowMs) => (
    this.#apply(claim.id, onComplete(this.#of(claim), claim, completion, nowMs), completion.events)
  ))

  release: KeyStore['release'] = (claim) => this.#turn(() => this.#apply(claim.id, onRelease(this.#of(claim), claim)))

  abandon: KeyStore['abandon'] = (claim, cause, attempts) => this.#turn((nowMs) => (
    this.#apply(claim.id, onAbandon(this.#of(claim), claim, cause, attempts, nowMs))
  ))

  resolve: KeyStore['resolve'] = (id, fence, resolution, act) => this.#turn((nowMs) => {
    const judged = onResolve(this.#records.get(id), fence, resolution, nowMs)
    if (act !== null) this.#record('resolve', id, judged, act, nowMs)
    this.#endWork(id, judged)
    return this.#apply(id, judged, resolution.as === 'completed' ? resolution.events : [])
  })

  evict: KeyStore['evict'] = (id, act) => this.#turn((nowMs) => {
    const judged = onEvict(this.#records.get(id), nowMs)
    this.#record('evict', id, judged, act, nowMs)
    return this.#apply(id, judged)
  })

  forget: KeyStore['forget'] = (id, act) => this.#turn((nowMs) => {
    const judged = onForget(this.#records.get(id), nowMs)
    this.#record('forget', id, judged, act, nowMs)
    this.#endWork(id, judged)
    return this.#apply(id, judged)
  })

  audit: KeyStore['audit'] = (limit) => this.#turn(() => this.#audit.toReversed().slice(0, limit))

  flag: KeyStore['flag'] = (id) => this.#flagged.flag(id, () => this.find({ id }, 1))

  find: KeyStore['find'] = (by, limit) => this.#turn(() => {
    if ('id' in by) return [this.#records.get(by.id)].filter((record) => record !== undefined).slice(0, limit)
    const wanted = Object.entries(by)
    return [...this.#records.values()].filter((record) => wanted.every(([name, value]) => Object.entries(record).some(([key, held]) => key === name && held === value))).slice(0, limit)
  })

  doubts: KeyStore['doubts'] = (limit, rest) => this.#turn(() => this.#lent.lend([...this.#records.values()], limit, rest))

  reap: KeyStore['reap'] = (limit) => this.#turn((nowMs) => {
    const doubts = [...this.#records.values()].map((record) => onReap(record, nowMs)).filter((doubt) => doubt !== undefined).slice(0, limit)
    for (const doubt of doubts) this.#records.set(doubt.id, doubt)
    return { orphaned: doubts.length }
  })

  sweep: KeyStore['sweep'] = (limit) => this.#turn((nowMs) => {
    const free = [...this.#records.values()].filter((record) => isFree(record, nowMs)).slice(0, limit)
    for (const { id } of free) this.#records.delete(id)
    return { deleted: free.length }
  })

  census: KeyStore['census'] = () => this.#turn(() => {
    const count = (state: KeyRecord['state']): number => [...this.#records.values()].filter((record) => record.state === state).length
    return { inFlight: count('in_flight'), uncertain: count('uncertain'), completed: count('completed') }
  })

  close: KeyStore['close'] = () => {
    this.#closed = true
    return Promise.resolve()
  }

  /** One call at a time, each within one turn: an answer is never interleaved with another call. */
  async #turn<Result>(act: (nowMs: number) => Result): Promise<Result> {
    if (this.#closed) throw new StoreUnavailable('no', 'the store is closed')
    await Promise.resolve()
    return act(this.#clock.wallMs())
  }

  #of(claim: Claim): KeyRecord | undefined {
    return this.#records.get(claim.id)
  }

  #record(verb: AuditEntry['verb'], id: KeyId, judged: Judged<unknown>, act: Act, nowMs: number): void {
    const entry = auditEntry(verb, this.#records.get(id), judged, act, nowMs)
    if (entry !== null) this.#audit.push(entry)
  }

  #endWork(id: KeyId, judged: Judged<unknown>): void {
    const found = this.#records.get(id)
    if (endsWork(found, judged)) this.#outbox.endWork(found.operationRef)
  }

  #discard(operationRef: string): void {
    const found = [...this.#records.values()].find((record) => record.operationRef === operationRef)
    if (found !== undefined) this.#apply(found.id, { outcome: null, change: onDiscard(found) })
  }

  #apply<Outcome>(id: KeyId, { outcome, change }: Judged<Outcome>, events: readonly OutboxEvent[] = []): Outcome {
    switch (change.kind) {
      case 'keep': break
      case 'delete': this.#records.delete(id); break
      case 'put':
        this.#records.set(id, change.record)
        this.#outbox.put(...events)
        break
      default: change satisfies never
    }
    if (this.#records.get(id)?.state !== 'in_flight') this.#flagged.left(id)
    return outcome
  }
}

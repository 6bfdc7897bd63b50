import { Declined } from '../core/declined.ts'
import type { OutboxEvent } from '../core/event.ts'
import { keyDigest, KEY_HEADER, readKey } from '../core/key.ts'
import { keysMeant } from '../core/key-source.ts'
import { completedBy, eventsOf } from '../core/outbox-events.ts'
import type { Clock, KeyStore, Random } from '../core/ports.ts'
import { readDraft } from '../core/read-draft.ts'
import type { Act, KeyRecord, Resolution } from '../core/record.ts'
import type { StoredReply } from '../core/reply.ts'
import type { Route } from '../core/route.ts'
import { timeText } from '../core/time-text.ts'

/** Two identities that use one key are two records; more than this many are looked at one by one. */
export const MOST_CANDIDATES = 1000

export type KeySelector = { readonly by: 'operation', readonly operationRef: string } | { readonly by: 'key', readonly key: string }

export interface KeyDeskDependencies {
  readonly store: KeyStore
  readonly service: string
  readonly routes: () => readonly Route[]
  readonly clock: Pick<Clock, 'wallMs'>
  readonly random: Pick<Random, 'token'>
}

/** A store and what operators do to its records; every change is audited. What cannot be done is thrown as Declined. */
export class KeyDesk {
  readonly #deps: KeyDeskDependencies

  constructor(deps: KeyDeskDependencies) {
    this.#deps = deps
  }

  async candidates(selector: KeySelector): Promise<readonly KeyRecord[]> {
    const found = selector.by === 'operation' ? await this.#deps.store.find({ operationRef: selector.operationRef }, 1) : await this.#byKey(selector.key)
    if (found.length === 0) throw new Declined(selector.by === 'operation' ? 'no operation has this name' : 'nobody has sent this key, or its retention has ended')
    return found
  }

  /** A lease that ended counts as a doubt, although nobody has said so yet: with no sidecar there is no upkeep either. */
  async doubt(record: KeyRecord): Promise<KeyRecord> {
    if (record.state !== 'in_flight') return record
    await this.#deps.store.reap(MOST_CANDIDATES)
    const [now] = await this.#deps.store.find({ id: record.id }, 1)
    return now ?? record
  }

  /** What a doubt is resolved as; null: it was not executed. What waits for the reply leaves with it, as if it had come by itself. */
  resolution({ operationRef, outbox }: KeyRecord, reply: StoredReply | null): Resolution {
    if (reply === null) return { as: 'not-executed', operationRef }
    const draft = outbox === null ? null : readDraft(outbox)
    if (draft === undefined) throw new Declined(`${operationRef} has events that cannot be built here: what they are made of was sealed under a key that is not among store.sealing.keys, or written by another version`)
    const { service, clock } = this.#deps
    return { as: 'completed', reply, events: eventsOf(draft, completedBy(reply), { service, operationRef, timeMs: clock.wallMs() }) }
  }

  async resolve(record: KeyRecord, resolution: Resolution, act: Act): Promise<void> {
    if (record.state === 'in_flight') throw new Declined(`${record.operationRef} is being worked on, at least until ${timeText(record.leaseUntil)}`)
    if (record.state === 'accepted') throw new Declined(`${record.operationRef} was accepted and waits to be executed; there is no doubt to resolve`)
    if (record.state === 'completed') throw new Declined(`${record.operationRef} is completed; there is no doubt to resolve`)
    if (await this.#deps.store.resolve(record.id, record.fence, resolution, act) === 'fenced') throw new Declined(`${record.operationRef} changed just now; look at it again`)
  }

  async evict(record: KeyRecord, act: Act): Promise<void> {
    const outcome = await this.#deps.store.evict(record.id, act)
    if (outcome === 'refused') throw new Declined(`${record.operationRef} is ${record.state}: only a completed key has a reply`)
    if (outcome === 'absent') throw new Declined(`${record.operationRef} is gone already`)
  }

  async forget(record: KeyRecord, act: Act): Promise<void> {
    const outcome = await this.#deps.store.forget(record.id, act)
    if (outcome === 'refused') throw new Declined(`${record.operationRef} is being worked on; it can be forgotten once its lease has ended`)
    if (outcome === 'absent') throw new Declined(`${record.operationRef} is gone already`)
  }

  /** By every key that the word may have been, on any route: the header's own, and those of each `key_from`. */
  async #byKey(word: string): Promise<readonly KeyRecord[]> {
    const { store, routes, random } = this.#deps
    const secret = await store.secret(random.token(32))
    const reading = readKey([KEY_HEADER, word])
    const sources = routes().flatMap(({ action }) => action.kind === 'guard' ? keysMeant(word, action.policy.keyFrom) : [])
    const digests = new Set([...(reading.kind === 'present' ? [reading.key] : []), ...sources].map((key) => keyDigest(secret, key)))
    const found = await Promise.all([...digests].map((digest) => store.find({ keyDigest: digest }, MOST_CANDIDATES)))
    return found.flat()
  }
}

/** The events of a completion that could not be built, and are dead letters from the beginning. */
export function flawedEvents(resolution: Resolution): readonly (OutboxEvent & { readonly flaw: string })[] {
  return resolution.as === 'completed' ? resolution.events.flatMap((event) => (event.flaw === null ? [] : [{ ...event, flaw: event.flaw }])) : []
}

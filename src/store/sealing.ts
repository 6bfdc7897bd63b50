import { StoreUnavailable, type KeyStore, type Meter, type RemoteReplies } from '../core/ports.ts'
import type { AcceptOutcome, ClaimOutcome, ClaimRequest, KeyId } from '../core/record.ts'
import type { StoredReply } from '../core/reply.ts'
import type { Keyring } from './keyring.ts'
import { sealedEvent, sealedEvents } from './sealed-outbox.ts'

/**
 * An authority whose stored replies are sealed. What does not open is no reply and not for us to replace: the key's record
 * stands, so the store cannot say what is in it, and nothing runs.
 */
export function sealedStore(authority: KeyStore, keyring: Keyring): KeyStore {
  const opened = (reply: StoredReply, id: KeyId, fence: number): StoredReply => {
    const result = keyring.open(reply, id, fence)
    if (result.kind === 'shut') throw new StoreUnavailable('no', 'a stored reply does not open: its key is not among store.sealing.keys, or it was changed')
    return result.reply
  }
  /** One that does not open stays as it is, and cannot be read: none would mean that the completion has no events. */
  const draft = (outbox: string | null, id: KeyId): string | null => (outbox === null ? null : keyring.openText(outbox, id) ?? outbox)
  const texts = ({ probe, outbox }: { readonly probe: string | null, readonly outbox: string | null }, id: KeyId): { readonly probe: string | null, readonly outbox: string | null } => (
    { probe: probe === null ? null : keyring.openText(probe, id), outbox: draft(outbox, id) }
  )
  const sealed = (request: ClaimRequest): ClaimRequest => {
    const { id, probe, outbox } = request
    return probe === null && outbox === null ? request : { ...request, probe: probe === null ? null : keyring.sealText(probe, id), outbox: outbox === null ? null : keyring.sealText(outbox, id) }
  }
  const told = <Outcome extends ClaimOutcome | AcceptOutcome>(outcome: Outcome, id: KeyId): Outcome => {
    if (outcome.kind === 'uncertain') return { ...outcome, ...texts(outcome, id) }
    return outcome.kind === 'replay' ? { ...outcome, reply: opened(outcome.reply, id, outcome.fence) } : outcome
  }
  return {
    claim: async (request, givenUp) => told(await authority.claim(sealed(request), givenUp), request.id),
    accept: async (request, work) => told(await authority.accept(sealed(request), { ...work, event: sealedEvent(work.event, keyring) }), request.id),
    async begin(request) {
      const begun = await authority.begin(request)
      switch (begun.kind) {
        case 'claimed': return { ...begun, outbox: draft(begun.outbox, request.id) }
        case 'uncertain': return { ...begun, ...texts(begun, request.id) }
        case 'completed': case 'busy': case 'gone': return begun
        default: return begun satisfies never
      }
    },
    complete: (claim, completion) => authority.complete(claim, { ...completion, reply: keyring.seal(completion.reply, claim.id, claim.fence), events: sealedEvents(completion.events, keyring) }),
    resolve(id, fence, resolution, act) {
      // a record that is resolved changes hands: its fence rises by one (core/transition.ts)
      const decided = resolution.as === 'completed' ? { ...resolution, reply: keyring.seal(resolution.reply, id, fence + 1), events: sealedEvents(resolution.events, keyring) } : resolution
      return authority.resolve(id, fence, decided, act)
    },
    async find(by, limit) {
      const records = await authority.find(by, limit)
      return records.map((record) => (record.state === 'completed' ? { ...record, reply: opened(record.reply, record.id, record.fence) } : { ...record, ...texts(record, record.id) }))
    },
    /** A probe that does not open cannot be asked; its key is held. */
    async doubts(limit, rest) {
      const doubts = await authority.doubts(limit, rest)
      return doubts.flatMap((doubt) => {
        const probe = keyring.openText(doubt.probe, doubt.id)
        return probe === null ? [] : [{ ...doubt, probe, outbox: draft(doubt.outbox, doubt.id) }]
      })
    },
    evict: (id, act) => authority.evict(id, act),
    forget: (id, act) => authority.forget(id, act),
    audit: (limit) => authority.audit(limit),
    flag: (id) => authority.flag(id),
    release: (claim) => authority.release(claim),
    abandon: (claim, cause, attempts) => authority.abandon(claim, cause, attempts),
    secret: (candidate) => authority.secret(candidate),
    keySpace: (seen, next) => authority.keySpace(seen, next),
    renew: (claims) => authority.renew(claims),
    reap: (limit) => authority.reap(limit),
    sweep: (limit) => authority.sweep(limit),
    census: () => authority.census(),
    close: () => authority.close(),
  }
}

/** The same for Redis, where what does not open is one more miss. */
export function sealedReplies(remote: RemoteReplies, keyring: Keyring, meter: Pick<Meter, 'cacheMiss'>): RemoteReplies {
  return {
    get answers() {
      return remote.answers
    },
    async get(id) {
      const found = await remote.get(id)
      if (found === undefined) return undefined
      const result = keyring.open(found.reply, id, found.fence)
      if (result.kind === 'opened') return { ...found, reply: result.reply }
      meter.cacheMiss('sealed')
      return undefined
    },
    put: (id, what) => remote.put(id, { ...what, reply: keyring.seal(what.reply, id, what.fence) }),
    bury: (id) => remote.bury(id),
    onBuried: (forget) => remote.onBuried(forget),
    close: () => remote.close(),
  }
}

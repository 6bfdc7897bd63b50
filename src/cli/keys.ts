import { readFile } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import type { Environment } from '../config/substitute.ts'
import type { OutboxEvent } from '../core/event.ts'
import { completedBy, eventsOf } from '../core/outbox-events.ts'
import { readDraft } from '../core/read-draft.ts'
import { readKey, keyDigest, KEY_HEADER } from '../core/key.ts'
import { keysMeant } from '../core/key-source.ts'
import type { KeyStore } from '../core/ports.ts'
import type { Act, KeyRecord, Resolution } from '../core/record.ts'
import { storable, type StoredReply } from '../core/reply.ts'
import { systemClock, timeText } from '../host/clock.ts'
import { systemRandom } from '../host/random.ts'
import type { Flags } from './arguments.ts'
import type { KeysCommand, ResolutionWish, Selector } from './keys-arguments.ts'
import { auditJson, auditTable, recordJson, recordTable } from './keys-output.ts'
import { EXIT, type Output } from './output.ts'
import { actOf } from './wanted.ts'
import { codeOf, Declined, withStores, writeNewFile } from './with-stores.ts'

/** Two identities that use one key are two records; more than this many are looked at one by one. */
const MOST_CANDIDATES = 1000

/** Looks at keys and changes them, as operators do; every change is audited. Returns the exit code. */
export async function keys(command: KeysCommand, flags: Flags, environment: Environment, output: Output): Promise<number> {
  return withStores(flags, environment, output, 'onceward keys audit', ({ keys: store }, config) => perform(command, new Desk(store, config), output))
}

async function perform(command: KeysCommand, desk: Desk, output: Output): Promise<number> {
  const say = (text: string, json: object): number => {
    output.line(command.json ? JSON.stringify(json, null, 2) : text)
    return EXIT.ok
  }
  switch (command.verb) {
    case 'get': {
      const records = await desk.candidates(command.selector)
      if (command.bodyFile !== null) await writeBody(command.bodyFile, onlyOne(records))
      return say(recordTable(records, systemClock().wallMs()).join('\n'), records.map(recordJson))
    }
    case 'list': {
      const found = await desk.store.find({ state: command.state }, command.limit + 1)
      const records = found.slice(0, command.limit)
      if (found.length > records.length) output.complaint(`there are more than these ${records.length}; --limit shows more`)
      return say(records.length === 0 ? `no key is ${command.state}` : recordTable(records, systemClock().wallMs()).join('\n'), records.map(recordJson))
    }
    case 'audit': {
      const entries = await desk.store.audit(command.limit)
      return say(entries.length === 0 ? 'nothing was changed here' : auditTable(entries).join('\n'), entries.map(auditJson))
    }
    case 'evict': case 'forget': {
      const record = onlyOne(await desk.candidates(command.selector))
      await desk[command.verb](record, actOf(command.signature))
      const done = command.verb === 'evict' ? 'its reply is gone, and it stays completed' : `the key is free: the next request with it runs${record.state === 'accepted' ? ', and what was accepted does not' : ''}`
      return say(`${record.operationRef}: ${done}`, { operation: record.operationRef, done: command.verb })
    }
    case 'resolve': {
      const record = await desk.doubt(onlyOne(await desk.candidates(command.selector)))
      const resolution = await resolutionOf(command.resolution, record, desk.config)
      await desk.resolve(record, resolution, actOf(command.signature))
      for (const flaw of flawsOf(resolution)) output.complaint(flaw)
      const done = command.resolution.as === 'completed' ? `completed with status ${command.resolution.status}` : `not executed, ${record.accepted === null ? 'so the key is free: the next request with it runs' : 'so it waits again; if it is a dead letter, redrive it'}`
      return say(`${record.operationRef}: ${done}`, { operation: record.operationRef, done: 'resolve', as: command.resolution.as })
    }
    default: return command satisfies never
  }
}

/** A store and what is done to its records from outside; what cannot be done is thrown as Declined. */
class Desk {
  readonly store: KeyStore
  readonly config: Config

  constructor(store: KeyStore, config: Config) {
    this.store = store
    this.config = config
  }

  async candidates(selector: Selector): Promise<readonly KeyRecord[]> {
    const found = selector.by === 'operation' ? await this.store.find({ operationRef: selector.operationRef }, 1) : await this.#byKey(selector.key)
    if (found.length === 0) throw new Declined(selector.by === 'operation' ? 'no operation has this name' : 'nobody has sent this key, or its retention has ended')
    return found
  }

  /** A lease that ended counts as a doubt, although nobody has said so yet: with no sidecar there is no upkeep either. */
  async doubt(record: KeyRecord): Promise<KeyRecord> {
    if (record.state !== 'in_flight') return record
    await this.store.reap(MOST_CANDIDATES)
    const [now] = await this.store.find({ id: record.id }, 1)
    return now ?? record
  }

  async resolve(record: KeyRecord, resolution: Resolution, act: Act): Promise<void> {
    if (record.state === 'in_flight') throw new Declined(`${record.operationRef} is being worked on, at least until ${timeText(record.leaseUntil)}`)
    if (record.state === 'accepted') throw new Declined(`${record.operationRef} was accepted and waits to be executed; there is no doubt to resolve`)
    if (record.state === 'completed') throw new Declined(`${record.operationRef} is completed; there is no doubt to resolve`)
    if (await this.store.resolve(record.id, record.fence, resolution, act) === 'fenced') throw new Declined(`${record.operationRef} changed just now; look at it again`)
  }

  async evict(record: KeyRecord, act: Act): Promise<void> {
    const outcome = await this.store.evict(record.id, act)
    if (outcome === 'refused') throw new Declined(`${record.operationRef} is ${record.state}: only a completed key has a reply`)
    if (outcome === 'absent') throw new Declined(`${record.operationRef} is gone already`)
  }

  async forget(record: KeyRecord, act: Act): Promise<void> {
    const outcome = await this.store.forget(record.id, act)
    if (outcome === 'refused') throw new Declined(`${record.operationRef} is being worked on; it can be forgotten once its lease has ended`)
    if (outcome === 'absent') throw new Declined(`${record.operationRef} is gone already`)
  }

  /** By every key that the word may have been, on any route: the header's own, and those of each `key_from`. */
  async #byKey(word: string): Promise<readonly KeyRecord[]> {
    const secret = await this.store.secret(systemRandom().token(32))
    const reading = readKey([KEY_HEADER, word])
    const sources = this.config.routes.flatMap(({ action }) => action.kind === 'guard' ? keysMeant(word, action.policy.keyFrom) : [])
    const digests = new Set([...(reading.kind === 'present' ? [reading.key] : []), ...sources].map((key) => keyDigest(secret, key)))
    const found = await Promise.all([...digests].map((digest) => this.store.find({ keyDigest: digest }, MOST_CANDIDATES)))
    return found.flat()
  }
}

function onlyOne(records: readonly KeyRecord[]): KeyRecord {
  const [record, ...more] = records
  if (record === undefined || more.length > 0) throw new Declined(`${records.length} clients have sent this key; take --operation to say which one is meant:\n${recordTable(records, systemClock().wallMs()).join('\n')}`)
  return record
}

async function writeBody(path: string, record: KeyRecord): Promise<void> {
  if (record.state !== 'completed' || record.reply.kind !== 'kept') throw new Declined(`${record.operationRef} has no stored body`)
  await writeNewFile(path, record.reply.reply.body)
}

async function resolutionOf(wish: ResolutionWish, record: KeyRecord, config: Config): Promise<Resolution> {
  if (wish.as === 'not-executed') return { as: wish.as, operationRef: record.operationRef }
  const reply = await replyOf(wish, config)
  return { as: wish.as, reply, events: eventsBy(reply, record, config) }
}

/** What waits for the reply leaves with it, as if it had come by itself. */
function eventsBy(reply: StoredReply, { operationRef, outbox }: KeyRecord, { service }: Config): readonly OutboxEvent[] {
  const draft = outbox === null ? null : readDraft(outbox)
  if (draft === undefined) throw new Declined(`${operationRef} has events that cannot be built here: what they are made of was sealed under a key that is not among store.sealing.keys, or written by another version`)
  return eventsOf(draft, completedBy(reply), { service, operationRef, timeMs: systemClock().wallMs() })
}

function flawsOf(resolution: Resolution): string[] {
  const events = resolution.as === 'completed' ? resolution.events : []
  return events.flatMap(({ id, sink, flaw }) => (flaw === null ? [] : [`its event ${id} for ${sink} could not be built, and is a dead letter: ${flaw}`]))
}

async function replyOf({ status, bodyFile, fields }: Extract<ResolutionWish, { as: 'completed' }>, config: Config): Promise<StoredReply> {
  if (bodyFile === null) return { kind: 'not-kept', status }
  const body = await readFile(bodyFile).catch((error: unknown) => { throw new Declined(`${bodyFile} cannot be read: ${codeOf(error)}`) })
  if (body.length > config.limits.keptReplyBytes) throw new Declined(`${bodyFile} has ${body.length} bytes, and a reply is kept up to ${config.limits.keptReplyBytes} (limits.kept_reply); without --body-file the key is completed without its body`)
  return { kind: 'kept', reply: { status, headers: storable(fields), body, trailers: [] } }
}

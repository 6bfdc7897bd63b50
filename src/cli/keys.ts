import { readFile } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import type { Environment } from '../config/substitute.ts'
import { Declined } from '../core/declined.ts'
import type { KeyStore } from '../core/ports.ts'
import type { KeyRecord } from '../core/record.ts'
import { storable, type StoredReply } from '../core/reply.ts'
import { auditJson, recordJson } from '../core/shown.ts'
import { systemClock } from '../host/clock.ts'
import { systemRandom } from '../host/random.ts'
import { flawedEvents, KeyDesk } from '../upkeep/key-desk.ts'
import type { Flags } from './arguments.ts'
import type { KeysCommand, ResolutionWish } from './keys-arguments.ts'
import { auditTable, recordTable } from './keys-output.ts'
import { EXIT, type Output } from './output.ts'
import { actOf } from './wanted.ts'
import { codeOf, withStores, writeNewFile } from './with-stores.ts'

/** Looks at keys and changes them, as operators do; every change is audited. Returns the exit code. */
export async function keys(command: KeysCommand, flags: Flags, environment: Environment, output: Output): Promise<number> {
  return withStores(flags, environment, output, 'onceward keys audit', ({ keys: store }, config) => {
    const desk = new KeyDesk({ store, service: config.service, routes: () => config.routes, clock: systemClock(), random: systemRandom() })
    return perform(command, desk, store, config, output)
  })
}

async function perform(command: KeysCommand, desk: KeyDesk, store: KeyStore, config: Config, output: Output): Promise<number> {
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
      const found = await store.find({ state: command.state }, command.limit + 1)
      const records = found.slice(0, command.limit)
      if (found.length > records.length) output.complaint(`there are more than these ${records.length}; --limit shows more`)
      return say(records.length === 0 ? `no key is ${command.state}` : recordTable(records, systemClock().wallMs()).join('\n'), records.map(recordJson))
    }
    case 'audit': {
      const entries = await store.audit(command.limit)
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
      const wish = command.resolution
      const resolution = desk.resolution(record, wish.as === 'completed' ? await replyOf(wish, config) : null)
      await desk.resolve(record, resolution, actOf(command.signature))
      for (const { id, sink, flaw } of flawedEvents(resolution)) output.complaint(`its event ${id} for ${sink} could not be built, and is a dead letter: ${flaw}`)
      const done = wish.as === 'completed' ? `completed with status ${wish.status}` : `not executed, ${record.accepted === null ? 'so the key is free: the next request with it runs' : 'so it waits again; if it is a dead letter, redrive it'}`
      return say(`${record.operationRef}: ${done}`, { operation: record.operationRef, done: 'resolve', as: wish.as })
    }
    default: return command satisfies never
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

async function replyOf({ status, bodyFile, fields }: Extract<ResolutionWish, { as: 'completed' }>, config: Config): Promise<StoredReply> {
  if (bodyFile === null) return { kind: 'not-kept', status }
  const body = await readFile(bodyFile).catch((error: unknown) => { throw new Declined(`${bodyFile} cannot be read: ${codeOf(error)}`) })
  if (body.length > config.limits.keptReplyBytes) throw new Declined(`${bodyFile} has ${body.length} bytes, and a reply is kept up to ${config.limits.keptReplyBytes} (limits.kept_reply); without --body-file the key is completed without its body`)
  return { kind: 'kept', reply: { status, headers: storable(fields), body, trailers: [] } }
}

import type { KeyRecord } from '../../src/core/record.ts'
import { hashOf } from './chance.ts'
import type { Asking, Heard, Operation, Resolved } from './client.ts'
import type { LedgerLine } from './protocol.ts'

/*
 * What must be true after a trial, from three witnesses that do not know of each other: the upstream's ledger, what
 * the clients heard, and the store as it was found on the disk after the last kill.
 */

export interface Evidence {
  readonly operations: readonly Operation[]
  readonly ledger: readonly LedgerLine[]
  readonly askings: readonly Asking[]
  readonly resolutions: readonly Resolved[]
  readonly records: ReadonlyMap<string, KeyRecord>
  /** keys whose senders had not been told an end when the patience of the healed life ran out */
  readonly unended: ReadonlySet<string>
  /** what clients may be told beside answers: `none` while only a cache was in trouble */
  readonly trouble: 'expected' | 'none'
}

export const CHECKS = {
  'one-execution': 'under hold no key reaches the upstream twice in a way that may have had an effect',
  'one-answer': 'every answer of a key is the same answer, byte for byte, and all but the first are marked as replays',
  'answer-stands': 'after an answer nobody is told a doubt, a refusal or another outcome',
  'answer-is-true': 'every answer is what an execution of this key said, or what an operator decided',
  'answer-is-stored': 'what was answered is what the store holds',
  'doubt-is-visible': 'a key that may have been executed is never free: it is completed, or in doubt for everybody to see',
  'told-what-is-stored': 'what a client hears at the end is what the store holds',
  'ends': 'after the faults every operation ends that somebody still asks for',
  'untroubled': 'what only a cache suffers is nothing that a client is told',
  'expected-words': 'a careful client is told nothing that has no place here',
} as const
export type CheckName = keyof typeof CHECKS

export interface Violation {
  readonly check: CheckName
  readonly key: string
  readonly detail: string
}

/** Asked again later, these may end in anything. */
const NOT_YET: ReadonlySet<string> = new Set(['in-flight', 'still-running', 'store-unavailable', 'outcome-not-recorded', 'upstream-unreachable'])

interface Witnesses {
  readonly operation: Operation
  readonly lines: readonly LedgerLine[]
  readonly askings: readonly Asking[]
  readonly resolutions: readonly Resolved[]
  readonly record: KeyRecord | undefined
  readonly ended: boolean
  readonly trouble: Evidence['trouble']
}

type Found = readonly [CheckName, string]

export function check(evidence: Evidence): Violation[] {
  const [ledger, askings, resolutions] = [byKey(evidence.ledger), byKey(evidence.askings), byKey(evidence.resolutions)]
  return evidence.operations.flatMap((operation) => {
    const { key } = operation
    const witnesses: Witnesses = {
      operation,
      lines: ledger.get(key) ?? [],
      askings: askings.get(key) ?? [],
      resolutions: resolutions.get(key) ?? [],
      record: evidence.records.get(key),
      ended: !evidence.unended.has(key),
      trouble: evidence.trouble,
    }
    const found = [executions, answers, truth, storage, doubts, words, liveness].flatMap((look) => look(witnesses))
    return found.map(([name, detail]): Violation => ({ check: name, key, detail }))
  })
}

function byKey<T extends { readonly key: string }>(all: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const one of all) {
    const group = groups.get(one.key)
    if (group === undefined) groups.set(one.key, [one])
    else group.push(one)
  }
  return groups
}

/** Arrivals that were not refused in so many words: whether they did the work is nothing that a proxy could know. */
export function effectPossible(lines: readonly LedgerLine[]): number {
  const refused = new Set(lines.filter(({ at }) => at === 'refused').map(({ key, nth }) => `${key} ${nth}`))
  return lines.filter(({ at, key, nth }) => at === 'arrived' && !refused.has(`${key} ${nth}`)).length
}

function executions({ operation, lines, resolutions }: Witnesses): Found[] {
  // who sends again on a declared route relies on the upstream's own promise, which the ledger keeps by itself
  const allowed = 1 + resolutions.filter(({ as }) => as === 'not-executed').length
  const executed = lines.filter(({ at }) => at === 'executed').length
  const possible = effectPossible(lines)
  if (operation.route === 'resend' || (executed <= allowed && possible <= allowed)) return []
  return [['one-execution', `${executed} executions, ${possible} sendings that may have had an effect, ${allowed} allowed`]]
}

function answers({ askings }: Witnesses): Found[] {
  const found: Found[] = []
  const told = askings.filter(({ heard }) => heard.kind === 'answer')
  const texts = new Set(told.map(({ heard }) => textOf(heard)))
  if (texts.size > 1) found.push(['one-answer', `${texts.size} different answers: ${[...texts].join(' | ')}`])
  const fresh = told.filter(({ heard }) => heard.kind === 'answer' && !heard.replayed)
  if (fresh.length > 1) found.push(['one-answer', `${fresh.length} answers that are not marked as replays`])
  const firstAt = Math.min(...told.map(({ ended }) => ended))
  for (const { heard } of askings.filter(({ invoked }) => invoked > firstAt)) {
    if (heard.kind === 'passed-on' || (heard.kind === 'problem' && !NOT_YET.has(heard.code) && heard.code !== 'reply-not-kept')) {
      found.push(['answer-stands', `after an answer somebody was told ${textOf(heard)}`])
    }
  }
  return found
}

function words({ askings, trouble }: Witnesses): Found[] {
  const strange = askings.filter(({ heard }) => heard.kind === 'problem' && !NOT_YET.has(heard.code) && heard.code !== 'reply-not-kept' && heard.code !== 'outcome-unknown')
  const troubled = trouble === 'expected' ? [] : askings.filter(({ heard }) => heard.kind !== 'answer' && !isProblem(heard, 'in-flight'))
  return [...strange.map(({ heard }): Found => ['expected-words', textOf(heard)]), ...troubled.map(({ heard }): Found => ['untroubled', textOf(heard)])]
}

function truth({ askings, lines, resolutions }: Witnesses): Found[] {
  const said = new Set([...lines.flatMap((line) => line.at === 'executed' ? [line.replyHash] : []), ...resolutions.map(({ bodyHash }) => bodyHash)])
  const invented = askings.filter(({ heard }) => heard.kind === 'answer' && !said.has(heard.bodyHash))
  return invented.map(({ heard }): Found => ['answer-is-true', textOf(heard)])
}

function storage({ askings, record }: Witnesses): Found[] {
  const told = askings.flatMap(({ heard }) => heard.kind === 'answer' ? [heard] : [])
  const [first] = told
  if (first === undefined) return []
  if (record?.state !== 'completed') return [['answer-is-stored', `${textOf(first)} was told, and the key is ${record?.state ?? 'free'}`]]
  const { reply } = record
  const held = reply.kind === 'kept' ? { status: reply.reply.status, bodyHash: hashOf(reply.reply.body) } : { status: reply.status, bodyHash: null }
  const other = told.find(({ status, bodyHash }) => status !== held.status || (held.bodyHash !== null && bodyHash !== held.bodyHash))
  return other === undefined ? [] : [['answer-is-stored', `${textOf(other)} was told, ${held.status} ${held.bodyHash ?? 'without its body'} is stored`]]
}

function doubts({ operation, lines, record, askings, resolutions }: Witnesses): Found[] {
  const found: Found[] = []
  const spokenFor = resolutions.filter(({ as }) => as === 'not-executed').length
  if (record === undefined && effectPossible(lines) > spokenFor) found.push(['doubt-is-visible', 'the upstream may have acted, and the key is free'])
  if (record?.state === 'completed' && lines.every(({ at }) => at !== 'executed') && resolutions.length === 0) found.push(['doubt-is-visible', 'completed without an execution'])
  if (!operation.comesBack) return found
  const last = askings.findLast(({ heard }) => heard.kind !== 'nothing')?.heard
  const fits = record === undefined ? isNot(last, 'answer', 'outcome-unknown')
    : record.state === 'completed' ? last?.kind === 'answer' || isProblem(last, 'reply-not-kept')
      : isProblem(last, record.state === 'uncertain' ? 'outcome-unknown' : 'in-flight')
  if (!fits) found.push(['told-what-is-stored', `the key is ${record?.state ?? 'free'}, and the last word was ${last === undefined ? 'none' : textOf(last)}`])
  return found
}

function liveness({ ended, record, operation }: Witnesses): Found[] {
  if (!operation.comesBack) return []
  const found: Found[] = []
  if (!ended) found.push(['ends', 'nobody was told an end'])
  if (record === undefined || record.state === 'in_flight') found.push(['ends', `the key is ${record?.state ?? 'free'} at the end`])
  if (operation.route === 'resend' && record?.state === 'uncertain') found.push(['ends', 'the route may send again, and the key is in doubt'])
  return found
}

function isProblem(heard: Heard | undefined, code: string): boolean {
  return heard?.kind === 'problem' && heard.code === code
}

function isNot(heard: Heard | undefined, kind: Heard['kind'], code: string): boolean {
  return heard?.kind !== kind && !isProblem(heard, code)
}

function textOf(heard: Heard): string {
  switch (heard.kind) {
    case 'answer': return `${heard.status} ${heard.bodyHash}`
    case 'passed-on': return `${heard.status}, not kept`
    case 'problem': return heard.code
    case 'nothing': return 'nothing'
    default: return heard satisfies never
  }
}

import { sha256 } from './digest.ts'
import { firstOf } from './headers.ts'
import { readJson, type Json } from './json.ts'
import { pointerText, valueAt, type Pointer } from './json-pointer.ts'
import type { Reply } from './reply.ts'
import { fillField, fillTarget, fillText, type Filling, type Template } from './template.ts'
import { canonicalJson } from './canonical-json.ts'

/*
 * Asking the upstream whether a request that got no answer has run. The question is written down with the claim, because who
 * asks it may be another process that never saw the request:
 *
 *     policy + request --renderProbe--> text, stored with the claim --readProbe--> what is sent
 *     answer --judgeProbe--> found (it ran: this is its reply) | absent (not there, so far) | unclear
 *
 * How an answer is read is the route's policy of the day, but only while it asks in the way in which the stored question was
 * asked (`shape`): a 404 that means "no such charge" on one path means nothing on another.
 */

export interface ProbePolicy {
  /** begins with a slash */
  readonly target: Template
  readonly headers: readonly { readonly name: string, readonly value: Template }[]
  /** what an answer must say at these places, or it is about somebody else */
  readonly expect: readonly { readonly pointer: Pointer, readonly value: Template }[]
  /** the longest that the upstream works on a request once it has it: what is not there then will not come */
  readonly quietMs: number
  /** of one question */
  readonly timeoutMs: number
  /** questions per inquiry */
  readonly attempts: number
  /** never stored; null for an upstream that asks for none */
  readonly credential: { readonly name: string, readonly value: string } | null
  readonly found: Sign
  readonly absent: Sign
  /** what a found request is answered with; null for the probe's own reply */
  readonly reply: BuiltReply | null
  /** digest of how it asks and reads */
  readonly shape: string
}

/** How an answer is recognised. */
export interface Sign {
  readonly statuses: readonly number[]
  /** null: the status says it all */
  readonly pointer: Pointer | null
  /** what stands there; null: anything (or, for what is absent, nothing) */
  readonly value: string | null
}

export interface BuiltReply {
  readonly status: number
  readonly contentType: string
  readonly body: { readonly kind: 'text', readonly text: string } | { readonly kind: 'pointer', readonly pointer: Pointer }
}

/** A question as it is stored. */
export interface Probe {
  readonly shape: string
  readonly target: string
  /** names and values, flat */
  readonly fields: readonly string[]
  readonly expect: readonly (readonly [pointer: string, value: string])[]
}

export type ProbeVerdict =
  | { readonly kind: 'found', readonly reply: Reply }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unclear', readonly why: Unclear }

export type Unclear =
  /** no complete answer came in time */
  | 'no-answer'
  /** a status that says neither */
  | 'status'
  /** a body that says neither, or both */
  | 'content'
  /** it is about another request than was asked about */
  | 'somebody-else'
  /** it is not there, but may still be worked on */
  | 'too-early'
  /** the route asks in another way by now, or not at all */
  | 'other-rules'
  /** what its events are made of is in no form that this process can read, and a completion without them would lose them */
  | 'events'
  /** too many questions are out */
  | 'busy'
  /** the store did not take the result */
  | 'store'

const VERSION = 1

export function shapeOf(written: unknown): string {
  return sha256(JSON.stringify(written)).slice(0, 22)
}

/** Null if the request lacks what the question needs, or has it in a form that could mean something else: then nobody can be asked. */
export function renderProbe(policy: ProbePolicy, filling: Filling): string | null {
  const target = fillTarget(policy.target, filling)
  if (target === null) return null
  const fields: string[] = []
  for (const { name, value } of policy.headers) {
    const filled = fillField(value, filling)
    if (filled === null) return null
    fields.push(name, filled)
  }
  const expect: [string, string][] = []
  for (const { pointer, value } of policy.expect) {
    const filled = fillText(value, filling)
    if (filled === null) return null
    expect.push([pointerText(pointer), filled])
  }
  return JSON.stringify({ v: VERSION, shape: policy.shape, target, fields, expect })
}

/** Undefined for what this version did not write. */
export function readProbe(text: string): Probe | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  return isProbe(value) ? value : undefined
}

/** `ripe`: it could not come any more. Reads a complete reply only; all others are unclear before they get here. */
export function judgeProbe(policy: ProbePolicy, { expect }: Probe, reply: Reply, ripe: boolean): ProbeVerdict {
  const isFound = policy.found.statuses.includes(reply.status)
  const isAbsent = policy.absent.statuses.includes(reply.status)
  if (!isFound && !isAbsent) return unclear('status')
  const document = documentOf(reply)
  const found = isFound && shows(policy.found, document)
  const absent = isAbsent && lacks(policy.absent, document)
  if (found === absent) return unclear('content')
  if (absent) return ripe ? { kind: 'absent' } : unclear('too-early')
  const said = expect.every(([pointer, value]) => document !== undefined && textAt(document, pointer.slice(1).split('/').map(unescaped)) === value)
  if (!said) return unclear('somebody-else')
  const answer = replyTo(policy.reply, reply, document)
  return answer === undefined ? unclear('content') : { kind: 'found', reply: answer }
}

function shows({ pointer, value }: Sign, document: Json | undefined): boolean {
  if (pointer === null) return true
  if (document === undefined) return false
  return value === null ? isThere(valueAt(document, pointer)) : textAt(document, pointer) === value
}

/** What is not there counts only if the place where it would be is: an error that came with status 200 lacks everything. */
function lacks({ pointer, value }: Sign, document: Json | undefined): boolean {
  if (pointer === null) return true
  if (document === undefined) return false
  if (value !== null) return textAt(document, pointer) === value
  const around = pointer.length === 1 ? document : valueAt(document, pointer.slice(0, -1))
  return (around?.kind === 'object' || around?.kind === 'array') && !isThere(valueAt(document, pointer))
}

function isThere(value: Json | undefined): boolean {
  return value !== undefined && !(value.kind === 'word' && value.word === 'null')
}

function textAt(document: Json, pointer: Pointer): string | undefined {
  const value = valueAt(document, pointer)
  switch (value?.kind) {
    case 'string': return value.value
    case 'number': return value.source
    case 'word': return value.word
    case 'array': case 'object': case undefined: return undefined
    default: return value satisfies never
  }
}

/** Undefined for a body that is no JSON, or is coded. */
function documentOf({ headers, body }: Reply): Json | undefined {
  return (firstOf(headers, 'content-encoding') ?? 'identity').toLowerCase() === 'identity' ? readJson(body) : undefined
}

/** Undefined if what the built reply is made of is not there. */
function replyTo(built: BuiltReply | null, own: Reply, document: Json | undefined): Reply | undefined {
  if (built === null) return own
  const { status, contentType, body } = built
  const headers = ['Content-Type', contentType]
  if (body.kind === 'text') return { status, headers, body: Buffer.from(body.text), trailers: [] }
  const part = document === undefined ? undefined : valueAt(document, body.pointer)
  const text = part === undefined ? undefined : canonicalJson(part)
  return text === undefined ? undefined : { status, headers, body: Buffer.from(text), trailers: [] }
}

function unclear(why: Unclear): ProbeVerdict {
  return { kind: 'unclear', why }
}

function unescaped(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~')
}

function isProbe(value: unknown): value is Probe {
  if (typeof value !== 'object' || value === null || !('v' in value) || value.v !== VERSION) return false
  return 'shape' in value && typeof value.shape === 'string' && 'target' in value && typeof value.target === 'string' && value.target.startsWith('/')
    && 'fields' in value && isTexts(value.fields)
    && 'expect' in value && Array.isArray(value.expect) && value.expect.every((pair) => isTexts(pair) && pair.length === 2)
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

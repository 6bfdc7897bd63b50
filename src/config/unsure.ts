import { parsePointer, type Pointer } from '../core/json-pointer.ts'
import type { WhenUnsure } from '../core/policy.ts'
import { shapeOf, type BuiltReply, type ProbePolicy, type Sign } from '../core/probe.ts'
import { parseTemplate, type Template } from '../core/template.ts'
import { IDEMPOTENCY } from './policy-schema.ts'
import { PROBE } from './probe-schema.ts'
import { defaultsOf, type Document } from './schema.ts'
import { parseDuration } from './units.ts'

/** What a route does about requests that got no answer, of `when_unsure` as it was written. */

type Written = NonNullable<NonNullable<NonNullable<Document['defaults']>['idempotency']>['when_unsure']>
type WrittenProbe = NonNullable<Exclude<Written, string>['probe']>

export function whenUnsureOf(written: Written): WhenUnsure {
  if (written === 'hold') return { kind: 'hold' }
  if (written.probe !== undefined) return { kind: 'probe', probe: probeOf(written.probe) }
  return { kind: 'resend', withinMs: ms(proven(written.resend).within) }
}

/** Only who may send again asks twice, so only there a status can speak about an earlier sending. */
export function inProgressOf(written: Written): readonly number[] {
  if (written === 'hold' || written.resend === undefined) return []
  const [, { properties: { resend } }] = IDEMPOTENCY.properties.when_unsure.anyOf
  return written.resend.in_progress ?? defaultsOf(resend).in_progress
}

function probeOf(written: WrittenProbe): ProbePolicy {
  const { get, headers = {}, expect = {}, quiet, timeout, attempts, credential, reply } = { ...defaultsOf(PROBE), ...written }
  const { found, absent } = { found: { ...defaultsOf(PROBE.properties.found), ...written.found }, absent: { ...defaultsOf(PROBE.properties.absent), ...written.absent } }
  return {
    target: templateOf(get),
    headers: Object.entries(headers).map(([name, value]) => ({ name, value: templateOf(value) })),
    expect: Object.entries(expect).map(([pointer, value]) => ({ pointer: pointerOf(pointer), value: templateOf(value) })),
    quietMs: ms(quiet),
    timeoutMs: ms(timeout),
    attempts,
    credential: credential === undefined ? null : { name: credential.header, value: credential.value },
    found: signOf(found),
    absent: signOf(absent),
    reply: replyOf(reply),
    shape: shapeOf([get, headers, expect, found, absent]),
  }
}

function signOf({ status, pointer, equals }: { readonly status: readonly number[], readonly pointer?: string, readonly equals?: string }): Sign {
  return { statuses: status, pointer: pointer === undefined ? null : pointerOf(pointer), value: equals ?? null }
}

function replyOf(written: NonNullable<WrittenProbe['reply']>): BuiltReply | null {
  if (written === 'probe') return null
  const [, fields] = PROBE.properties.reply.anyOf
  const { status, content_type: contentType, pointer, body } = { ...defaultsOf(fields), ...written }
  return { status, contentType, body: pointer === undefined ? { kind: 'text', text: body } : { kind: 'pointer', pointer: pointerOf(pointer) } }
}

function templateOf(text: string): Template {
  return proven(parseTemplate(text))
}

function pointerOf(text: string): Pointer {
  return proven(parsePointer(text))
}

function ms(text: string): number {
  return proven(parseDuration(text))
}

/** The schema has accepted the text with the same parser; if not, it is a bug and not a mistake of the file. */
function proven<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the schema accepted a value that its parser refuses')
  return value
}

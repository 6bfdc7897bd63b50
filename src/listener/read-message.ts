import type { IncomingMessage } from 'node:http'
import { hasPassed, misnominated, type Hop } from '../core/forwarding.ts'
import { firstOf, valuesOf, type Fields } from '../core/headers.ts'
import { KEY_HEADER } from '../core/key.ts'
import { problem, type Problem, type ProblemCode } from '../core/problem.ts'
import { isHost, readTarget } from '../core/request-target.ts'

/*
 * A request as HTTP means it, before any route is looked for (RFC 9112 sections 3 and 6, RFC 9110 section 7). node's
 * parser has refused what it cannot read, both Content-Length and Transfer-Encoding among it; what it lets through
 * although two servers might read it differently is refused here, for guarded and passed requests alike.
 */
export type Message =
  /** goes on: the target in origin-form, the fields with the Host that counts */
  | { readonly kind: 'call', readonly target: string, readonly fields: Fields }
  | { readonly kind: 'refused', readonly problem: Problem }
  /** asks the server itself: OPTIONS * (RFC 9110 section 9.3.7), or OPTIONS that may not go further */
  | { readonly kind: 'for-us' }

export function readMessage(request: IncomingMessage, hop: Hop): Message {
  const method = request.method ?? ''
  const fields = request.rawHeaders
  if (request.httpVersion !== '1.1' && request.httpVersion !== '1.0') {
    return refused('not-supported', 'the request is not in HTTP/1.1 or HTTP/1.0', 505)
  }
  const framing = framingFault(fields, method, hop)
  if (framing !== undefined) return framing
  const target = readTarget(method, request.url ?? '')
  if (target.kind === 'invalid') return refused('request-invalid', target.detail)
  const [host, ...more] = valuesOf(fields, 'host')
  if (host === undefined && hop.httpVersion === '1.1') return refused('request-invalid', 'an HTTP/1.1 request needs a Host field')
  if (more.length > 0) return refused('request-invalid', 'the request has more than one Host field')
  if (host !== undefined && !isHost(host)) return refused('request-invalid', 'the Host field is not a host with an optional port')
  const nominated = misnominated(fields)
  if (nominated !== undefined) return refused(nominated === KEY_HEADER ? 'key-invalid' : 'request-invalid', `the Connection field must not name ${nominated}`)
  if (hasPassed(fields, hop.pseudonym)) return refused('loop-detected', 'this process has forwarded the request before; the upstream, or something behind it, leads back here')
  if (target.kind === 'asterisk') return { kind: 'for-us' }
  const asked = target.authority === null ? fields : withHost(fields, target.authority)
  if (method !== 'OPTIONS' && method !== 'TRACE') return { kind: 'call', target: target.target, fields: asked }
  return countedDown(method, target.target, asked)
}

/** Framing that could be read in two ways ends the connection, too: who writes the answer says so. */
function framingFault(fields: Fields, method: string, hop: Hop): Message | undefined {
  const codings = valuesOf(fields, 'transfer-encoding').join(',').toLowerCase()
  if (codings !== '') {
    if (hop.httpVersion === '1.0') return refused('request-invalid', 'HTTP/1.0 has no Transfer-Encoding')
    if (!/(^|,)\s*chunked\s*$/.test(codings)) return refused('request-invalid', 'the last transfer coding of a request must be chunked')
    if (codings.trim() !== 'chunked') return refused('not-supported', 'the only transfer coding that is decoded here is chunked')
  }
  if (method !== 'TRACE') return undefined
  const length = firstOf(fields, 'content-length')
  if (codings !== '' || (length !== undefined && Number(length) > 0)) return refused('request-invalid', 'a TRACE request has no content')
  return undefined
}

/** RFC 9112 section 3.2.2: the Host that came with an absolute-form target is ignored, and made from the target. */
function withHost(fields: Fields, authority: string): string[] {
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.toLowerCase() !== 'host') kept.push(fields[i] ?? '', fields[i + 1] ?? '')
  }
  return ['Host', authority, ...kept]
}

/** Max-Forwards (RFC 9110 section 7.6.2): at 0 we are the last recipient; what is no number is ignored. */
function countedDown(method: string, target: string, fields: Fields): Message {
  const value = firstOf(fields, 'max-forwards')
  if (value === undefined || !/^\d+$/.test(value)) return { kind: 'call', target, fields }
  if (/^0+$/.test(value)) {
    if (method === 'OPTIONS') return { kind: 'for-us' }
    return refused('not-supported', 'a TRACE that ends here is not reflected, because its fields may hold credentials')
  }
  const left = String(Math.min(Number(value), Number.MAX_SAFE_INTEGER) - 1)
  return { kind: 'call', target, fields: fields.map((part, i) => (i % 2 === 1 && fields[i - 1]?.toLowerCase() === 'max-forwards' ? left : part)) }
}

function refused(code: ProblemCode, detail: string, status?: number): Message {
  return { kind: 'refused', problem: problem(code, detail, status === undefined ? {} : { status }) }
}

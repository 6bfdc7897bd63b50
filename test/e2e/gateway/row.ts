/** What must and must not be among the bytes of one side. A string is a byte sequence, case and all. */
export interface Sight {
  readonly has: readonly (string | RegExp)[]
  readonly lacks?: readonly (string | RegExp)[]
}

/** What the upstream does once a whole request has arrived. */
export interface Play {
  readonly bytes: string
  readonly then: 'wait' | 'close' | 'reset'
}

/** One request on a connection of its own. */
export interface Step {
  /** raw bytes; `{key}` is a key of this row, `{pseudonym}` our name in Via, `{upstream}` the upstream's host and port */
  readonly sends: string
  /** the sidecar has to end the connection by itself; else it is enough that its reply is whole */
  readonly ends?: true
  /** the client closes its sending side behind what it sends */
  readonly halfCloses?: true
  /** how many final replies come back, if not one */
  readonly replies?: number
  /** the client goes away as soon as the upstream has the request */
  readonly leaves?: true
  readonly play?: Play
  /** what reached the upstream; 'nothing' if no byte did */
  readonly upstream: Sight | 'nothing'
  readonly back: Sight
}

export interface Row {
  /** section of the standards, rule, and the path that the request takes */
  readonly id: string
  readonly rule: string
  /** null if the rule is followed; else why not, and the steps show what happens instead */
  readonly notFollowed: string | null
  readonly yaml: string
  readonly steps: readonly Step[]
}

/** what is sent again is told in docs/retries.md; here one attempt is enough */
const FILE = 'service: charges\ndefaults: { retry: { attempts: 1 } }'

/** In a row's file: the sidecar's upstream is a port on which nobody listens. */
export const NOBODY_UPSTREAM = '# nobody listens upstream'

/** A rule that is followed. */
export function row(id: string, rule: string, steps: Step | readonly Step[], yaml = FILE): Row {
  return { id, rule, notFollowed: null, yaml, steps: steps instanceof Array ? steps : [steps] }
}

/** A rule that is not followed. */
export function deviation(id: string, rule: string, why: string, steps: Step | readonly Step[], yaml = FILE): Row {
  return { ...row(id, rule, steps, yaml), notFollowed: why }
}

/** The same step down both paths: guarded, and passed through because there is no key. */
export function bothPaths(id: string, rule: string, step: (request: typeof keyed, path: 'guarded' | 'passed') => Step, yaml = FILE): Row[] {
  return [row(`${id} (guarded)`, rule, step(keyed, 'guarded'), yaml), row(`${id} (passed)`, rule, step(keyless, 'passed'), yaml)]
}

export interface Shape {
  readonly method?: string
  readonly target?: string
  readonly version?: '1.0' | '1.1'
  /** the Host lines; none for an empty list */
  readonly host?: readonly string[]
  /** framing and content; by default one byte with its length */
  readonly content?: string
}

/** A POST with a key, which is guarded. */
export function keyed(lines: readonly string[] = [], shape: Shape = {}): string {
  return keyless(['Authorization: one', 'Idempotency-Key: {key}', ...lines], shape)
}

/** A POST without a key, which passes through. */
export function keyless(lines: readonly string[] = [], { method = 'POST', target = '/v1/x', version = '1.1', host = ['shop.example'], content = 'Content-Length: 1\r\n\r\nx' }: Shape = {}): string {
  return [`${method} ${target} HTTP/${version}`, ...host.map((value) => `Host: ${value}`), ...lines, content].join('\r\n')
}

export function get(lines: readonly string[] = [], shape: Shape = {}): string {
  return keyless(lines, { method: 'GET', content: '\r\n', ...shape })
}

/** A reply as the upstream writes it; `lines` may frame it, else its length does. */
export function plays(status: number, lines: readonly string[] = [], body = 'ok', then: Play['then'] = 'wait'): Play {
  const framed = lines.some((line) => /^(content-length|transfer-encoding):/i.test(line))
  return { bytes: [`HTTP/1.1 ${status} Said`, ...lines, ...(framed ? [] : [`Content-Length: ${body.length}`]), '', body].join('\r\n'), then }
}

export const OK = plays(200)

/** A problem of ours, by its code. */
export function problemOf(status: number, code: string): string[] {
  return [`HTTP/1.1 ${status} `, 'Content-Type: application/problem+json', `urn:onceward:problem:${code}`]
}

/*
 * Messages whose end two servers could see in different places, and others that no gateway should take. Each carries a
 * request for /smuggled in the part that the difference is about. Sources: RFC 9112 sections 5.1, 6.1, 6.3, 7.1 and
 * 11.2, and the advisories named in docs/security.md.
 *
 *     refused    the one right answer is a 4xx or 5xx, or none, and the end of the connection
 *     one        a message with one meaning, however odd: exactly one request, and what follows it is the next
 */

export interface Shape {
  readonly name: string
  readonly expected: 'refused' | 'one'
  /** the bytes, as latin1; `lead` are request line and first fields without the empty line */
  readonly bytes: (lead: string) => string
}

/** What the attacker wants to be taken for a request of its own. */
export const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'

/** Request line and fields of a message that is fine so far; a shape adds its framing and the empty line. */
export function leadOf(more: string = ''): string {
  return `POST /v1/charges HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer one\r\n${more}`
}

/** `fields` and then a chunked body that ends early, with the smuggled request behind it. */
const endingEarly = (fields: string) => (lead: string): string => `${lead}${fields}\r\n0\r\n\r\n${SMUGGLED}`

/** `fields` and then a body whose second chunk line is the trick. */
const chunks = (body: string) => (lead: string): string => `${lead}Transfer-Encoding: chunked\r\n\r\n${body}`

/** `fields` and then five bytes, with the smuggled request behind them. */
const fiveBytes = (fields: string) => (lead: string): string => `${lead}${fields}\r\nhello${SMUGGLED}`

const refused = (name: string, bytes: Shape['bytes']): Shape => ({ name, expected: 'refused', bytes })
const one = (name: string, bytes: Shape['bytes']): Shape => ({ name, expected: 'one', bytes })

export const SHAPES: readonly Shape[] = [
  refused('CL.TE', endingEarly(`Content-Length: ${5 + SMUGGLED.length}\r\nTransfer-Encoding: chunked\r\n`)),
  refused('TE.CL', endingEarly(`Transfer-Encoding: chunked\r\nContent-Length: 5\r\n`)),
  refused('CL 0 and TE', endingEarly('Content-Length: 0\r\nTransfer-Encoding: chunked\r\n')),
  refused('TE.TE, chunked and then identity', endingEarly('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n')),
  refused('TE.TE, chunked named twice with something else last', endingEarly('Transfer-Encoding: chunked, x\r\n')),
  refused('a coding that merely begins with chunked', endingEarly('Transfer-Encoding: chunkedx\r\n')),
  refused('a coding that merely ends with chunked', endingEarly('Transfer-Encoding: xchunked\r\n')),
  refused('chunked in quotes', endingEarly('Transfer-Encoding: "chunked"\r\n')),
  refused('identity', endingEarly('Transfer-Encoding: identity\r\n')),
  refused('an empty Transfer-Encoding beside a length', endingEarly('Transfer-Encoding:\r\nContent-Length: 5\r\n')),
  refused('a space before the colon of Transfer-Encoding', endingEarly('Transfer-Encoding : chunked\r\n')),
  refused('a tab before the colon of Transfer-Encoding', endingEarly('Transfer-Encoding\t: chunked\r\n')),
  refused('a vertical tab before chunked', endingEarly('Transfer-Encoding:\u000bchunked\r\n')),
  refused('a form feed after chunked', endingEarly('Transfer-Encoding: chunked\u000c\r\n')),
  refused('a NUL after chunked', endingEarly('Transfer-Encoding: chunked\0\r\n')),
  refused('a bare CR behind chunked', endingEarly('Transfer-Encoding: chunked\rX: y\r\n')),
  refused('a folded Transfer-Encoding', endingEarly('Transfer-Encoding:\r\n chunked\r\n')),
  refused('Transfer-Encoding hidden in the fold of another field', endingEarly('X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n')),
  refused('a space before the name', endingEarly(' Transfer-Encoding: chunked\r\n')),
  refused('two lengths that differ', fiveBytes(`Content-Length: 5\r\nContent-Length: ${5 + SMUGGLED.length}\r\n`)),
  refused('two lengths that agree', fiveBytes('Content-Length: 5\r\nContent-Length: 5\r\n')),
  refused('two lengths in one field', fiveBytes(`Content-Length: 5, ${5 + SMUGGLED.length}\r\n`)),
  refused('two equal lengths in one field', fiveBytes('Content-Length: 5, 5\r\n')),
  refused('a length with a plus', fiveBytes('Content-Length: +5\r\n')),
  refused('a negative length', fiveBytes('Content-Length: -5\r\n')),
  refused('a length in hexadecimal', fiveBytes('Content-Length: 0x5\r\n')),
  refused('a length with an underscore', fiveBytes('Content-Length: 1_0\r\n')),
  refused('a length with a point', fiveBytes('Content-Length: 5.0\r\n')),
  refused('a length with a space inside', fiveBytes('Content-Length: 5 0\r\n')),
  refused('a length in quotes', fiveBytes('Content-Length: "5"\r\n')),
  refused('an empty length', fiveBytes('Content-Length: \r\n')),
  refused('a length beyond 64 bits', fiveBytes('Content-Length: 18446744073709551621\r\n')),
  refused('a space before the colon of Content-Length', fiveBytes('Content-Length : 5\r\n')),
  refused('a NUL in a value', fiveBytes('X-A: a\0b\r\nContent-Length: 5\r\n')),
  refused('a bare CR in a value', fiveBytes('X-A: a\rContent-Length: 0\r\nContent-Length: 5\r\n')),
  refused('a bare LF in a value', fiveBytes('X-A: a\nContent-Length: 5\r\n')),
  refused('a field without a colon', fiveBytes('Content-Length 5\r\n')),
  refused('a field without a name', fiveBytes(': 5\r\nContent-Length: 5\r\n')),
  refused('bare LFs between all fields', (lead) => `${lead.replaceAll('\r\n', '\n')}Content-Length: 5\n\nhello${SMUGGLED}`),
  refused('bare CRs between all fields', (lead) => `${lead.replaceAll('\r\n', '\r')}Content-Length: 5\r\rhello${SMUGGLED}`),
  refused('a chunk size with 0x', chunks(`0x5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`)),
  refused('a chunk size with a plus', chunks(`+5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`)),
  refused('a negative chunk size', chunks(`-1\r\nhello\r\n0\r\n\r\n${SMUGGLED}`)),
  refused('a chunk size with an underscore', chunks(`0_5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`)),
  refused('a chunk size beyond 64 bits', chunks(`10000000000000005\r\nhello\r\n0\r\n\r\n${SMUGGLED}`)),
  refused('an empty chunk size', chunks(`\r\nhello\r\n0\r\n\r\n${SMUGGLED}`)),
  refused('a space before the chunk size', chunks(` 5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`)),
  refused('a space behind the chunk size', chunks(`5 \r\nhello\r\n0\r\n\r\n${SMUGGLED}`)),
  refused('a chunk size that ends in a bare LF', chunks(`5\nhello\r\n0\r\n\r\n${SMUGGLED}`)),
  refused('a chunk size that ends in a bare CR', chunks(`5\rhello\r\n0\r\n\r\n${SMUGGLED}`)),
  refused('chunk data without its line end', chunks(`5\r\nhelloXX0\r\n\r\n${SMUGGLED}`)),
  refused('chunk data that ends in a bare LF', chunks(`5\r\nhello\n0\r\n\r\n${SMUGGLED}`)),
  refused('chunk data longer than its size', chunks(`3\r\nhello\r\n0\r\n\r\n${SMUGGLED}`)),
  refused('a bare LF inside a chunk extension', chunks(`5;a=b\nX\r\nhello\r\n0\r\n\r\n${SMUGGLED}`)),
  refused('a NUL inside a chunk extension', chunks(`5;a=\0\r\nhello\r\n0\r\n\r\n${SMUGGLED}`)),
  refused('a trailer without a colon', chunks(`5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n${SMUGGLED}`)),
  refused('a space in the method', (lead) => `${lead.replace('POST', 'PO ST')}Content-Length: 0\r\n\r\n${SMUGGLED}`),
  refused('a version of its own', (lead) => `${lead.replace('HTTP/1.1', 'HTTP/1.2')}Content-Length: 0\r\n\r\n${SMUGGLED}`),
  refused('no version', (lead) => `${lead.replace(' HTTP/1.1', '')}Content-Length: 0\r\n\r\n${SMUGGLED}`),
  refused('a NUL in the target', (lead) => `${lead.replace('/v1/charges', '/v1/\0charges')}Content-Length: 0\r\n\r\n${SMUGGLED}`),
  refused('chunked in HTTP/1.0', (lead) => `${lead.replace('HTTP/1.1', 'HTTP/1.0')}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${SMUGGLED}`),
  refused('the preface of HTTP/2', () => `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${SMUGGLED}`),
  refused('a TLS hello', () => `\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00fc\u0003\u0003${SMUGGLED}`),
  one('a plain length', (lead) => `${lead}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`),
  one('a length with zeros in front', (lead) => `${lead}Content-Length: 0000${SMUGGLED.length}\r\n\r\n${SMUGGLED}`),
  one('two spaces before the version', (lead) => `${lead.replace(' HTTP/1.1', '  HTTP/1.1')}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`),
  one('plain chunks', chunks(`${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`)),
  one('chunked in another case', (lead) => `${lead}Transfer-Encoding: CHUNKED\r\n\r\n${SMUGGLED.length.toString(16).toUpperCase()}\r\n${SMUGGLED}\r\n0\r\n\r\n`),
  one('a chunk size with zeros in front', chunks(`0000${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n000\r\n\r\n`)),
  one('a chunk extension', chunks(`${SMUGGLED.length.toString(16)};a="b"\r\n${SMUGGLED}\r\n0;c\r\n\r\n`)),
  one('a trailer', chunks(`${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\nX-Sum: 1\r\n\r\n`)),
  one('chunks of one byte', chunks(`${SMUGGLED.replace(/[^]/g, '1\r\n$&\r\n')}0\r\n\r\n`)),
]

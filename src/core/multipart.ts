const BOUNDARY = /;\s*boundary=(?:"([^"]*)"|([^;]*))/i

/** Anything that could be read as a further boundary, the continuations of RFC 2231 included. */
const ANY_BOUNDARY = /[;\s]boundary[\s\d*]*=/gi

/** RFC 2046 section 5.1.1: 1 to 70 characters, the last one no space. */
const LEGAL = /^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/

export function isMultipart(contentType: string): boolean {
  return /^multipart\//i.test(contentType)
}

/** A boundary is random per sending, and a client's retry makes a new one. */
export function withoutBoundary(contentType: string): string {
  return contentType.replace(BOUNDARY, '')
}

/** The boundary that a Content-Type names; undefined for none, an illegal one, or several. */
export function boundaryOf(contentType: string): string | undefined {
  if (contentType.match(ANY_BOUNDARY)?.length !== 1) return undefined
  const [, quoted, token] = BOUNDARY.exec(contentType) ?? []
  const boundary = quoted ?? token?.trimEnd()
  return boundary !== undefined && LEGAL.test(boundary) ? boundary : undefined
}

/**
 * The parts between the boundaries, each with its header block, byte for byte (RFC 2046 section 5.1.1). Undefined for
 * every body that some reader could cut elsewhere: text before the first boundary or behind the last one, spaces behind
 * a boundary, a boundary that is not a line of its own. An end of line behind the last boundary means nothing.
 */
export function partsOf(body: Uint8Array, boundary: string): Uint8Array[] | undefined {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const delimiter = Buffer.from(`--${boundary}`, 'latin1')
  if (bytes.indexOf(delimiter) !== 0) return undefined
  const parts: Uint8Array[] = []
  for (let at = delimiter.length; ;) {
    const line = bytes.toString('latin1', at, at + 2)
    if (line === '--') return parts.length > 0 && ['', '\r\n'].includes(bytes.toString('latin1', at + 2, at + 5)) ? parts : undefined
    const start = at + 2
    const next = bytes.indexOf(delimiter, start)
    const end = next - 2
    if (line !== '\r\n' || end < start || bytes.toString('latin1', end, next) !== '\r\n') return undefined
    parts.push(bytes.subarray(start, end))
    at = next + delimiter.length
  }
}

/** `HTTP/1.1 100` and the character after it: enough to know a status. */
const STATUS_LINE_BYTES = 13

/** A header section longer than this is not searched for its end; undici will refuse it by its own limit. */
const LONGEST_BYTES = 16 * 1024

/**
 * Takes `100 Continue` replies that nobody asked for out of what a socket reads, before undici sees it. We never send
 * `Expect`, a 100 means nothing then and a client must be ready for it (RFC 9110 section 15.2.1); undici takes it for a
 * broken peer and gives up a request whose real answer is about to come, which for a keyed one is a doubt.
 *
 * undici reads a socket with `read()` alone, so that is where whoever owns the connection puts this.
 */
export class StrayContinue {
  #expectsHead = false
  #pending: Buffer | null = null

  /** What `read()` gave, without such replies; null, as from `read()`, if there is nothing to pass on yet. */
  filter(chunk: unknown): unknown {
    return this.#expectsHead && Buffer.isBuffer(chunk) ? this.#strip(chunk) : chunk
  }

  /** The next bytes are the head of a reply. */
  expectHead(): void {
    this.#expectsHead = true
    this.#pending = null
  }

  /** What is left for undici; null if it has to wait for more. */
  #strip(chunk: Buffer): Buffer | null {
    let bytes = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk])
    this.#pending = null
    const passedOn: Buffer[] = []
    for (;;) {
      const status = interimStatus(bytes)
      if (status === 'none') {
        this.#expectsHead = false
        passedOn.push(bytes)
        break
      }
      const end = status === 'unknown' ? -1 : bytes.indexOf('\r\n\r\n')
      if (end === -1 && bytes.length < LONGEST_BYTES) {
        this.#pending = bytes
        break
      }
      if (end === -1) {
        this.#expectsHead = false
        passedOn.push(bytes)
        break
      }
      if (status !== '100') passedOn.push(bytes.subarray(0, end + 4))
      bytes = bytes.subarray(end + 4)
    }
    return passedOn.length === 0 ? null : Buffer.concat(passedOn)
  }
}

/** The status of an interim reply at the start of these bytes; 101 is none, because nothing of HTTP follows it. */
function interimStatus(bytes: Buffer): string {
  const line = bytes.toString('latin1', 0, STATUS_LINE_BYTES)
  const status = /^HTTP\/1\.[01] (1\d\d)[ \r]$/.exec(line)?.[1]
  if (status !== undefined) return status === '101' ? 'none' : status
  return couldBecomeInterim(line) ? 'unknown' : 'none'
}

function couldBecomeInterim(line: string): boolean {
  return line.length < STATUS_LINE_BYTES && ['HTTP/1.1 1', 'HTTP/1.0 1'].some((start) => start.startsWith(line.slice(0, start.length)))
}

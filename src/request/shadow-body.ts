import { createHash, type Hash } from 'node:crypto'
import { isJson } from '../core/fingerprint.ts'
import { firstOf, type Fields } from '../core/headers.ts'
import { isMultipart } from '../core/multipart.ts'
import type { Policy } from '../core/policy.ts'
import type { BodyReading } from './call.ts'
import type { ContentWatch } from './pass-on.ts'

/** What a body that passed is known by: itself where something in it has to be read, else its digest. */
export type SeenBody = Exclude<BodyReading, { kind: 'too-slow' | 'broken-off' }> | { readonly kind: 'digest', readonly digest: string }

/** Room for the copy of one body; see listener/held-bodies.ts. */
export interface BodyCopy {
  add(chunk: Buffer): 'added' | 'too-large' | 'no-room'
  whole(): Uint8Array
  forget(): void
}

/** Where a digest will not do: the key or a signature is about the body, or it is compared by its data or its parts. */
export function needsCopy({ signature, keyFrom, fingerprint }: Policy, fields: Fields): boolean {
  const type = firstOf(fields, 'content-type') ?? ''
  return signature !== null || keyFrom.kind === 'pointer' || keyFrom.kind === 'cloudevents' || isMultipart(type) || (fingerprint.mode === 'json' && isJson(type))
}

/** Looks at a body that flows by, without holding it up: `seen` is called once, when it is complete. */
export class BodyWatch implements ContentWatch {
  readonly #most: number
  readonly #copy: BodyCopy | null
  readonly #hash: Hash | null
  readonly #seen: (body: SeenBody) => void
  #bytes = 0
  #over = false

  constructor(most: number, copy: BodyCopy | null, seen: (body: SeenBody) => void) {
    this.#most = most
    this.#copy = copy
    this.#hash = copy === null ? createHash('sha256') : null
    this.#seen = seen
  }

  chunk(chunk: Buffer): void {
    if (this.#over) return
    this.#bytes += chunk.length
    this.#hash?.update(chunk)
    const added = this.#bytes > this.#most ? 'too-large' : this.#copy?.add(chunk) ?? 'added'
    if (added !== 'added') this.#end({ kind: added })
  }

  complete(): void {
    if (this.#over) return
    if (this.#copy !== null) this.#end({ kind: 'body', body: this.#copy.whole() })
    else if (this.#hash !== null) this.#end({ kind: 'digest', digest: this.#hash.digest('base64url') })
  }

  /** Nobody will see the rest of it. True if it was not complete. */
  leave(): boolean {
    const open = !this.#over
    this.#over = true
    if (open) this.forget()
    return open
  }

  /** What it was copied for is done. May be called twice. */
  forget(): void {
    this.#copy?.forget()
  }

  #end(body: SeenBody): void {
    this.#over = true
    if (body.kind !== 'body') this.#copy?.forget()
    this.#seen(body)
  }
}

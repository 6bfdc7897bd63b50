import type { Json } from './json.ts'

/** A JSON pointer (RFC 6901) as its reference tokens, outermost first, unescaped. */
export type Pointer = readonly string[]

/**
 * Undefined for a text that is no pointer. The empty one, which is the whole document, counts as none: nowhere would
 * it make sense.
 */
export function parsePointer(text: string): Pointer | undefined {
  if (!/^\/(?:[^~]|~[01])*$/su.test(text)) return undefined
  return text.slice(1).split('/').map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

export function pointerText(pointer: Pointer): string {
  return pointer.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** What a pointer leads to, if it leads anywhere. `-`, the element behind an array's last, is never there. */
export function valueAt(document: Json, pointer: Pointer): Json | undefined {
  let value: Json | undefined = document
  for (const token of pointer) {
    switch (value?.kind) {
      case 'object': value = value.members.find(({ name }) => name === token)?.value; break
      case 'array': value = /^(?:0|[1-9]\d*)$/.test(token) ? value.items[Number(token)] : undefined; break
      case 'word': case 'number': case 'string': case undefined: return undefined
      default: return value satisfies never
    }
  }
  return value
}

/** What the pointers say one step down, below the member or element `token`; 'itself' if one of them ends there. */
export function below(pointers: readonly Pointer[], token: string): readonly Pointer[] | 'itself' {
  if (pointers.length === 0) return pointers
  const further = pointers.filter(([first]) => first === token).map(([, ...rest]) => rest)
  return further.some((rest) => rest.length === 0) ? 'itself' : further
}

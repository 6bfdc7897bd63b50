/** The environment, handed in; nothing here reads the process. */
export type Environment = Readonly<Record<string, string | undefined>>

export type Substituted =
  /** nothing in it to replace */
  | { readonly kind: 'literal' }
  /** the text with every expression replaced; empty if nothing is left, which means that the field is not there */
  | { readonly kind: 'replaced', readonly text: string }
  | { readonly kind: 'unset', readonly variables: readonly string[] }
  | { readonly kind: 'malformed' }

const EXPRESSION = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}|\$\{/g

/**
 * Replaces `${VAR}` and `${VAR:-default}` in one scalar value; `$${` stands for `${`. As in a shell's `:-`, a variable
 * that is empty counts as one that is not set, and without a default it is a mistake: an empty value of a variable that
 * somebody forgot must not become a setting. A value is not looked at again, so it cannot name further variables.
 */
export function substitute(text: string, environment: Environment): Substituted {
  if (!text.includes('${')) return { kind: 'literal' }
  const unset: string[] = []
  let malformed = false
  const replaced = text.replace(EXPRESSION, (expression: string, variable: string | undefined, standard: string | undefined) => {
    if (expression === '$${') return '${'
    if (variable === undefined) {
      malformed = true
      return ''
    }
    const value = variableOf(environment, variable) ?? standard
    if (value === undefined) unset.push(variable)
    return value ?? ''
  })
  if (malformed) return { kind: 'malformed' }
  return unset.length > 0 ? { kind: 'unset', variables: unset } : { kind: 'replaced', text: replaced }
}

/** A variable's value; undefined if it is not set or empty. */
export function variableOf(environment: Environment, name: string): string | undefined {
  const value = Object.hasOwn(environment, name) ? environment[name] : undefined
  return value === '' ? undefined : value
}

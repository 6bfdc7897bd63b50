/** A name as SQL takes any name: in quotes, exactly as it was written. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function quotedTable(parts: readonly string[]): string {
  return parts.map(quoted).join('.')
}

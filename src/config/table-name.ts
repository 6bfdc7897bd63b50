const PART = /^(?:"((?:[^"\0]|"")+)"|([^".\s\0]+))(?:\.|$)/

/** `outbox`, `shop.outbox`, `"odd.name"."x"` as its parts, each as the database has it; undefined for anything else. */
export function parseTableName(text: string): string[] | undefined {
  const parts: string[] = []
  let rest = text
  while (rest !== '') {
    const [read, inQuotes, bare] = PART.exec(rest) ?? []
    if (read === undefined) return undefined
    parts.push(inQuotes === undefined ? bare ?? '' : inQuotes.replaceAll('""', '"'))
    rest = rest.slice(read.length)
    if (rest === '' && read.endsWith('.')) return undefined
  }
  const fit = (part: string): boolean => part !== '' && Buffer.byteLength(part) <= 63 // NAMEDATALEN of Postgres, less its end
  return (parts.length === 1 || parts.length === 2) && parts.every(fit) ? parts : undefined
}

import type { SourceSettings } from '../core/source-settings.ts'
import { quoted, quotedTable } from '../source/names.ts'

/**
 * What the role of a source needs in the application's database, as statements for whoever owns it; `reader` stands for the role. Of the
 * table these are the columns that are read, so that nothing else of it can be.
 */
export function sourceGrants({ name, url, table, columns }: SourceSettings): string[] {
  const [schema = 'public', ...rest] = table.length === 1 ? ['public', ...table] : table
  const database = databaseOf(url)
  const read = [...new Set(Object.values(columns).filter((column: string | null) => column !== null))].map(quoted)
  return [
    `  source ${name} reads ${table.join('.')} and may do nothing else there:`,
    ...(database === null ? [] : [`    GRANT CONNECT ON DATABASE ${quoted(database)} TO reader;`]),
    `    GRANT USAGE ON SCHEMA ${quoted(schema)} TO reader;`,
    `    GRANT SELECT (${read.join(', ')}) ON ${quotedTable([schema, ...rest])} TO reader;`,
  ]
}

/** Null where the URL leaves it to the server. Nothing else of the URL is shown. */
function databaseOf(url: string): string | null {
  const path = URL.canParse(url) ? new URL(url).pathname.slice(1) : ''
  if (path === '') return null
  try {
    return decodeURIComponent(path)
  } catch {
    return null // no text in UTF-8: the connection will say so
  }
}

import type { SourceSettings } from '../core/source-settings.ts'

/**
 * What the role of a source needs in the application's database, as statements for whoever owns it; `reader` stands for the role. Of the
 * table these are the columns that are read, so that nothing else of it can be.
 */
export function sourceGrants({ name, url, table, columns }: SourceSettings): string[] {
  const [schema = 'public', relation = ''] = table.length === 1 ? ['public', table[0]] : table
  const database = databaseOf(url)
  const read = [...new Set(Object.values(columns).filter((column: string | null) => column !== null))].map(quoted)
  return [
    `  source ${name} reads ${table.join('.')} and may do nothing else there:`,
    ...(database === null ? [] : [`    GRANT CONNECT ON DATABASE ${quoted(database)} TO reader;`]),
    `    GRANT USAGE ON SCHEMA ${quoted(schema)} TO reader;`,
    `    GRANT SELECT (${read.join(', ')}) ON ${quoted(schema)}.${quoted(relation)} TO reader;`,
  ]
}

function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`
}

/** Null where the URL leaves it to the server. Nothing else of the URL is shown. */
function databaseOf(url: string): string | null {
  const path = URL.canParse(url) ? new URL(url).pathname.slice(1) : ''
  return path === '' ? null : decodeURIComponent(path)
}

import { SourceTrouble } from '../core/source-ports.ts'
import type { SourceSettings } from '../core/source-settings.ts'
import { statement } from './look.ts'
import { quotedTable } from './names.ts'

/** What the columns of a table are, by their names. */
export interface Described {
  readonly types: ReadonlyMap<string, string>
  readonly warnings: readonly string[]
}

type Ask = (text: string, values: string[]) => Promise<readonly (readonly (string | null)[])[]>

const NUMBERS: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint'])
const TIMES = /^timestamp(?:\(\d\))? with(?:out)? time zone$/

/** Rejects with SourceTrouble, and with every reason at once, for a table that cannot be read as it is configured. */
export async function describeTable(ask: Ask, { table, columns }: Pick<SourceSettings, 'table' | 'columns'>): Promise<Described> {
  const [[inRecovery] = []] = await ask(statement('replica'), [])
  if (inRecovery === 't') throw new SourceTrouble('this server is a replica: what its transactions prove about missing numbers is not what the primary\'s do')
  const found = await ask(statement('columns'), [quotedTable(table)])
  if (found.length === 0) throw new SourceTrouble(`there is no table ${quotedTable(table)}, or this role may not see its schema`)
  const types = new Map(found.map(([name, type]) => [name ?? '', type ?? '']))
  const wrong = [
    ...Object.values(columns).flatMap((name: string | null) => (name === null || types.has(name) ? [] : [`it has no column ${name}`])),
    ...isOf(types, columns.order, (type) => NUMBERS.has(type), 'smallint, integer or bigint'),
    ...isOf(types, columns.time, (type) => TIMES.test(type), 'a timestamp'),
  ]
  if (wrong.length > 0) throw new SourceTrouble(`${quotedTable(table)} cannot be read: ${wrong.join('; ')}`)
  const isIndexed = found.some(([name, , indexed]) => name === columns.order && indexed === 't')
  return { types, warnings: isIndexed ? [] : [`${quotedTable(table)} has no index that begins with ${columns.order}: every look reads all of it`] }
}

function isOf(types: ReadonlyMap<string, string>, column: string | null, isFit: (type: string) => boolean, wanted: string): string[] {
  const type = column === null ? undefined : types.get(column)
  return type === undefined || isFit(type) ? [] : [`its column ${column} is ${type} and should be ${wanted}`]
}

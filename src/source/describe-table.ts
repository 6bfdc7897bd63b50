import { SourceTrouble } from '../core/source-ports.ts'
import type { SourceSettings } from '../core/source-settings.ts'
import { statement } from './look.ts'
import { quotedTable } from './names.ts'

/** What the columns of a table are, by their names, and what is allowed and should be known. */
export interface Described {
  readonly types: ReadonlyMap<string, string>
  readonly warnings: readonly string[]
}

type Ask = (text: string, values: string[]) => Promise<readonly (readonly (string | null)[])[]>

/** What one snapshot says everything of. The rows of others come from elsewhere, or all at once. */
const KINDS: ReadonlyMap<string, string> = new Map([['r', 'table'], ['p', 'table'], ['v', 'view']])
const NUMBERS: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint'])
const TIMES = /^timestamp(?:\(\d\))? with(?:out)? time zone$/
/** 13 can do everything that is asked of it here, and has gone out of support. */
const OLDEST_VERSION = 140_000

/** Rejects with SourceTrouble, and with every reason at once, for a table that cannot be read as it is configured. */
export async function describeTable(ask: Ask, { table, columns }: Pick<SourceSettings, 'table' | 'columns'>): Promise<Described> {
  const name = quotedTable(table)
  const [[inRecovery, version] = []] = await ask(statement('server'), [])
  if (inRecovery === 't') throw new SourceTrouble('this server is a replica: what its transactions prove about missing numbers is not what the primary\'s do')
  if (Number(version) < OLDEST_VERSION) throw new SourceTrouble(`this server is version ${Math.floor(Number(version) / 10_000)}, and 14 is the oldest that will do`)
  const found = await ask(statement('columns'), [name])
  const [first] = found
  if (first === undefined) throw new SourceTrouble(`there is no table ${name}, or this role may not see its schema`)
  const kind = KINDS.get(first[4] ?? '')
  if (kind === undefined) throw new SourceTrouble(`${name} cannot be read: it should be a table or a view, because of others no snapshot says which rows are still to come`)
  const types = new Map(found.map(([column, type]) => [column ?? '', type ?? '']))
  const order = found.find(([column]) => column === columns.order)
  const [[increment = '1', cache = '1', cycles = 'f'] = []] = await ask(statement('sequence'), [name, columns.order])
  const wrong = [
    ...Object.values(columns).flatMap((column: string | null) => (column === null || types.has(column) ? [] : [`it has no column ${column}`])),
    ...isOf(types, columns.order, (type) => NUMBERS.has(type), 'smallint, integer or bigint'),
    ...isOf(types, columns.time, (type) => TIMES.test(type), 'a timestamp'),
    ...(kind === 'table' && order?.[2] === 'f' ? [`its column ${columns.order} may be null, and a row without a number is never found`] : []),
    ...(Number(increment) < 0 ? [`the numbers of its column ${columns.order} fall, so new rows have smaller ones than old rows`] : []),
    ...(cycles === 't' ? [`the numbers of its column ${columns.order} begin anew (CYCLE), so new rows get smaller ones than old rows`] : []),
  ]
  if (wrong.length > 0) throw new SourceTrouble(`${name} cannot be read: ${wrong.join('; ')}`)
  return {
    types,
    warnings: [
      ...(kind === 'view' || order?.[3] === 't' ? [] : [`${name} has no index that begins with ${columns.order}: every look reads all of it`]),
      ...(first[5] === 't' ? [`${name} has row security: rows that its policies hide from this role are taken for rolled back, and never found`] : []),
      ...(Number(increment) > 1 ? [`the numbers of ${columns.order} go up by ${increment}: each one in between counts as missing, and is looked for`] : []),
      ...(Number(cache) > 1 ? [`sessions keep ${cache} numbers of ${columns.order} in advance (CACHE): a row whose number is used later than \`late\` after its neighbours' is not found, and order in a lane is not kept; write CACHE 1`] : []),
    ],
  }
}

function isOf(types: ReadonlyMap<string, string>, column: string | null, isFit: (type: string) => boolean, wanted: string): string[] {
  const type = column === null ? undefined : types.get(column)
  return type === undefined || isFit(type) ? [] : [`its column ${column} is ${type} and should be ${wanted}`]
}

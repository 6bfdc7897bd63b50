import { isRecord, withoutPassword, type SourceText } from './document.ts'
import type { Locate, Path, Spot } from './mistakes.ts'
import { variableOf, type Environment } from './substitute.ts'

/** What the command line says; undefined or absent means that it says nothing. */
export interface Overrides {
  readonly upstream?: string | undefined
  readonly listen?: string | undefined
  readonly admin?: string | undefined
  readonly dataDir?: string | undefined
}

/** What may be said without a file: a flag wins over its variable, and the variable over the file. */
export const OVERRIDES = [
  { name: 'upstream', flag: '--upstream', variable: 'ONCEWARD_UPSTREAM', path: ['upstream'] },
  { name: 'listen', flag: '--listen', variable: 'ONCEWARD_LISTEN', path: ['listen'] },
  { name: 'admin', flag: '--admin', variable: 'ONCEWARD_ADMIN', path: ['admin', 'listen'] },
  { name: 'dataDir', flag: '--data-dir', variable: 'ONCEWARD_DATA_DIR', path: ['store', 'data_dir'] },
] as const satisfies readonly { name: keyof Overrides, flag: string, variable: string, path: Path }[]

/** Writes them over what the file says; the returned `locate` names the flag or variable where one has won. */
export function override(data: Readonly<Record<string, unknown>>, flags: Overrides, environment: Environment, locate: Locate): { readonly data: Record<string, unknown>, readonly locate: Locate } {
  const merged = { ...data }
  const spots = new Map<string, Spot>()
  for (const { name, flag, variable, path } of OVERRIDES) {
    const given = flags[name]
    const value = given ?? variableOf(environment, variable)
    if (value === undefined || !write(merged, path, value)) continue
    const spot = { line: 0, column: 0 }
    spots.set(path.join('/'), given === undefined
      ? { ...spot, file: variable, found: 'a value', literal: null }
      : { ...spot, file: flag, found: withoutPassword(given) || 'nothing', literal: given })
  }
  return { data: merged, locate: (path, at) => spots.get(path.join('/')) ?? locate(path, at) }
}

/** Places of a configuration without a file: everything that is not there could have come from its flag. */
export function locateWithoutFile(path: Path): Spot {
  const flag = OVERRIDES.find((candidate) => candidate.path.join('/') === path.join('/'))?.flag
  return { file: flag ?? 'onceward', line: 0, column: 0, found: 'nothing', literal: null }
}

/** False if the file has something else than a group where the group should stand; the schema says so. */
function write(data: Record<string, unknown>, path: Path, value: string): boolean {
  const [first = '', second] = path
  if (second === undefined) {
    data[first] = value
    return true
  }
  const group = data[first] ?? {}
  if (!isRecord(group)) return false
  data[first] = { ...group, [second]: value }
  return true
}

export interface Sources {
  readonly file: SourceText | null
  readonly flags: Overrides
  readonly environment: Environment
}

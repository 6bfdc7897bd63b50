import { readFile } from 'node:fs/promises'
import { readCertificates } from './certificates.ts'
import { checkSchema } from './check-schema.ts'
import type { Config } from './config.ts'
import { readDocument, type Reading, type SourceText } from './document.ts'
import { inReadingOrder, wrongText, type Mistake, type Spot } from './mistakes.ts'
import { locateWithoutFile, override, type Overrides, type Sources } from './overrides.ts'
import { resolve } from './resolve.ts'
import { crossCheck } from './rules.ts'
import { variableOf, type Environment } from './substitute.ts'

export type Loaded =
  | { readonly kind: 'loaded', readonly config: Config }
  | { readonly kind: 'faulty', readonly mistakes: readonly Mistake[] }

/** The file that `--config` or ONCEWARD_CONFIG names; no file is looked for by itself. */
export function fileOf(flags: { readonly config?: string | undefined }, environment: Environment): string | undefined {
  return flags.config ?? variableOf(environment, 'ONCEWARD_CONFIG')
}

/** Reads the file that `--config` or ONCEWARD_CONFIG names, if any, and loads the configuration. */
export async function loadFrom(flags: Overrides & { readonly config?: string | undefined }, environment: Environment): Promise<Loaded> {
  const name = fileOf(flags, environment)
  if (name === undefined) return loadConfig({ file: null, flags, environment })
  const file = await readSource(name)
  if ('text' in file) return loadConfig({ file, flags, environment })
  return { kind: 'faulty', mistakes: [file, ...await mistakesOfFlags({ file: null, flags, environment })] }
}

/**
 * Flags over environment over file over defaults. Either a configuration without any mistake, or all the mistakes
 * that could be found in one go; a value that was refused is not judged twice.
 */
export async function loadConfig(sources: Sources): Promise<Loaded> {
  const { file, flags, environment } = sources
  const reading = file === null ? NO_FILE : await readDocument(file, environment)
  if (reading.kind === 'broken') return { kind: 'faulty', mistakes: inReadingOrder([...reading.mistakes, ...await mistakesOfFlags(sources)]) }
  const given = override(reading.data, flags, environment, reading.locate)
  const checked = await checkSchema(given.data, given.locate)
  const { certificates, mistakes: unreadable } = await readCertificates(checked.draft, given.locate)
  const mistakes = oncePerPlace([...reading.mistakes, ...checked.mistakes, ...crossCheck(checked, given.locate), ...unreadable])
  if (checked.document === null || mistakes.length > 0) return { kind: 'faulty', mistakes: inReadingOrder(mistakes) }
  return { kind: 'loaded', config: resolve(checked.document, file === null ? 'no-file' : 'file', certificates) }
}

const NO_FILE: Reading = { kind: 'read', data: {}, mistakes: [], locate: locateWithoutFile }

/** Of a file that cannot be read we know nothing, but what is wrong with the flags can be said in the same run. */
async function mistakesOfFlags({ flags, environment }: Sources): Promise<readonly Mistake[]> {
  const given = override({ upstream: 'http://127.0.0.1:3000' }, flags, environment, locateWithoutFile)
  return (await checkSchema(given.data, given.locate)).mistakes
}

/** `${UNSET}` is one mistake, and not a second one because the expression itself is no duration. */
function oncePerPlace(mistakes: readonly Mistake[]): Mistake[] {
  const places = new Set<string>()
  return mistakes.filter(({ file, line, column, field }) => {
    const place = line === 0 ? `${file} ${field}` : `${line}:${column}`
    return places.has(place) ? false : places.add(place)
  })
}

async function readSource(name: string): Promise<SourceText | Mistake> {
  const spot: Spot = { file: name, line: 0, column: 0, found: '', literal: null }
  try {
    return { name, text: new TextDecoder('utf-8', { fatal: true }).decode(await readFile(name)) }
  } catch (error) {
    if (error instanceof TypeError) return wrongText(spot, 'the file is not UTF-8 text')
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    const reasons = new Map([['ENOENT', 'there is no such file'], ['EACCES', 'the file may not be read by this user'], ['EISDIR', 'this is a directory, not a file']])
    return wrongText(spot, reasons.get(code) ?? `the file cannot be read (${code})`)
  }
}

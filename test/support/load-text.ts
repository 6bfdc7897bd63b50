import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { formatMistake } from '../../src/config/mistakes.ts'
import type { Overrides } from '../../src/config/overrides.ts'
import type { Environment } from '../../src/config/substitute.ts'
import type { Policy } from '../../src/core/policy.ts'

const UPSTREAM = 'upstream: http://127.0.0.1:3000\n'

/** Loads a file `f.yaml` of this text; an upstream is put in front unless the text has one. */
export async function configOf(text: string, flags: Overrides = {}, environment: Environment = {}): Promise<Config> {
  const loaded = await loadConfig({ file: { name: 'f.yaml', text: withUpstream(text) }, flags, environment })
  if (loaded.kind === 'faulty') throw new Error(loaded.mistakes.map(formatMistake).join('\n'))
  return loaded.config
}

/** The mistakes as they are printed, without the file's name; line numbers count from the given text. */
export async function mistakesIn(text: string, flags: Overrides = {}, environment: Environment = {}): Promise<string[]> {
  const loaded = await loadConfig({ file: { name: 'f.yaml', text: withUpstream(text) }, flags, environment })
  if (loaded.kind === 'loaded') return []
  const shift = withUpstream(text) === text ? 0 : 1
  return loaded.mistakes.map((mistake) => formatMistake(mistake.line === 0 ? mistake : { ...mistake, line: mistake.line - shift }).replace('f.yaml:', ''))
}

/** The policy of a route that guards. */
export function policyOf(config: Config, name: string): Policy {
  const action = config.routes.find((route) => route.name === name)?.action
  if (action?.kind !== 'guard') throw new Error(`the route ${name} does not guard`)
  return action.policy
}

function withUpstream(text: string): string {
  return /^upstream:/m.test(text) ? text : UPSTREAM + text
}

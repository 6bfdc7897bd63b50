import { loadFrom } from '../config/load.ts'
import { formatMistake } from '../config/mistakes.ts'
import type { FieldOrigin } from '../config/origins.ts'
import type { Environment } from '../config/substitute.ts'
import type { Asked } from '../core/route.ts'
import type { Journal } from '../core/ports.ts'
import { systemClock } from '../host/clock.ts'
import { JwtVerifier } from '../identity/jwt.ts'
import { explained, type Explanation } from '../request/explanation.ts'
import type { Flags } from './arguments.ts'
import { EXIT, type Output } from './output.ts'

/** Says what would become of a request, and by which rules; see request/explanation.ts. Returns the exit code. */
export async function explain(asked: Asked, flags: Flags, environment: Environment, output: Output): Promise<number> {
  const loaded = await loadFrom(flags, environment)
  if (loaded.kind === 'faulty') {
    for (const mistake of loaded.mistakes) output.complaint(formatMistake(mistake))
    return EXIT.config
  }
  const tokens = new JwtVerifier(systemClock(), complaining(output))
  const explanation = await explained(asked, loaded.config, tokens).finally(() => tokens.close())
  for (const line of linesOf(asked.method, explanation)) output.line(line)
  return explanation.refused ? EXIT.refused : EXIT.ok
}

function linesOf(method: string, { path, tried, treatment, fate }: Explanation): string[] {
  if (treatment === null) return [fate]
  const width = Math.max(...tried.map(({ route }) => route.length))
  return [
    `${method} ${path}`, ...tried.map(({ route, whyNot }, i) => `  ${i + 1}. ${route.padEnd(width)}  ${whyNot === null ? 'yes' : `no: ${whyNot}`}`), '',
    treatment.sentence, ...table(treatment.fields), '',
    fate,
  ]
}

function table(fields: readonly FieldOrigin[]): string[] {
  const [names, values] = [fields.map(({ field }) => field), fields.map(({ value }) => value)].map((column) => Math.max(...column.map(({ length }) => length)))
  return fields.map(({ field, value, origin }) => `  ${field.padEnd(names ?? 0)}  ${value.padEnd(values ?? 0)}  ${origin}`)
}

/** Why an issuer's keys could not be read is worth a line; nothing else is noted here. */
function complaining(output: Output): Journal {
  const complain = (event: string, detail: Readonly<Record<string, string | number>>): void => output.complaint(`${event}: ${Object.values(detail).join(': ')}`)
  return { settled: () => undefined, info: () => undefined, routine: () => undefined, warn: complain, error: complain }
}

/** Where lines go: as pino has it. */
interface Destination {
  write(text: string): unknown
}

const LEVELS: Readonly<Record<number, readonly [name: string, colour: string]>> = {
  10: ['trace', '90'], 20: ['debug', '90'], 30: ['info', '32'], 40: ['warn', '33'], 50: ['error', '31'], 60: ['fatal', '31'],
}
/** They stand in front, or are the same in each line. */
const IN_FRONT: ReadonlySet<string> = new Set(['level', 'time', 'service', 'msg'])
const EVENT_WIDTH = 20

/**
 * Log lines for people: the time of the day (UTC), the level, the event and its fields, `12:00:00.000 info  request.settled route=charge ...`.
 * A line that is no JSON is passed on. Whatever a field holds, it moves no cursor: control characters are written out.
 */
export class PrettyLines {
  readonly #destination: Destination
  readonly #coloured: boolean

  constructor(destination: Destination, coloured: boolean) {
    this.#destination = destination
    this.#coloured = coloured
  }

  write(lines: string): void {
    for (const line of lines.split('\n')) if (line !== '') this.#destination.write(`${this.#pretty(line)}\n`)
  }

  #pretty(line: string): string {
    const fields = fieldsOf(line)
    if (fields === null) return visible(line)
    const { level, time, msg } = fields
    const [name, colour] = LEVELS[Number(level)] ?? [String(level), '0']
    const front = `${timeOf(time)} ${this.#in(colour, name.padEnd(5))} ${this.#in('1', visible(String(msg)).padEnd(EVENT_WIDTH))}`
    const rest = Object.entries(fields).flatMap(([field, value]) => (IN_FRONT.has(field) ? [] : [`${this.#in('90', `${visible(field)}=`)}${textOf(value)}`]))
    return [front, ...rest].join(' ').trimEnd()
  }

  #in(colour: string, text: string): string {
    return this.#coloured ? `\u001b[${colour}m${text}\u001b[0m` : text
  }
}

function fieldsOf(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null
  } catch {
    return null
  }
}

function timeOf(time: unknown): string {
  const at = new Date(Number(time))
  return Number.isNaN(at.valueOf()) ? '-' : at.toISOString().slice(11, 23)
}

/** A word as it is, anything else as JSON; what a stack trace has of lines stays in lines. */
function textOf(value: unknown): string {
  if (typeof value !== 'string') return visible(JSON.stringify(value) ?? '')
  if (/^[\w.:/@+-]+$/.test(value)) return value
  return value.includes('\n') ? `\n  ${value.split('\n').map(visible).join('\n  ')}` : visible(JSON.stringify(value))
}

/** C0, DEL and C1, and what turns the direction of writing. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

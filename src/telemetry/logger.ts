import { pino, type DestinationStream, type Logger } from 'pino'
import type { Clock, Journal, SettledLine } from '../core/ports.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

const SERVICE = 'onceward'

/**
 * JSON lines by pino. The lines are built from fields that are safe by themselves (a route's name, a digest's first
 * characters, a code), so that no key, credential or body can get in; `redact` is the second lock, for fields that a
 * library's own error objects might carry.
 *
 * The one line per request has the same form and goes to the same destination, but is written out here: its type
 * names every field and each is safe, and a walk over an object that looks for others took a tenth of a replay's CPU.
 */
export function openJournal(level: LogLevel, destination: DestinationStream, clock: Clock): Journal & { readonly logger: Logger } {
  const paths = ['headers', 'body', 'authorization', 'cookie', 'key', '*.headers', '*.body', '*.authorization', '*.cookie']
  const logger = pino({ level, base: { service: SERVICE }, timestamp: () => `,"time":${clock.wallMs()}`, redact: { paths, censor: '[redacted]' } }, destination)
  const settledToo = logger.isLevelEnabled('info')
  return {
    logger,
    settled(line) {
      if (settledToo) destination.write(settledText(line, clock.wallMs()))
    },
    error: (event, detail) => logger.error(detail, event),
    warn: (event, detail) => logger.warn(detail, event),
    info: (event, detail) => logger.info(detail, event),
  }
}

/** pino's level number for "info". */
const INFO = pino.levels.values['info'] ?? 30

/** Routes and methods as JSON has them: closed sets, since node's parser knows all methods. Bounded all the same. */
const MOST_QUOTED = 1024
const quotes = new Map<string, string>()

function quoted(name: string): string {
  let text = quotes.get(name)
  if (text !== undefined) return text
  text = JSON.stringify(name)
  if (quotes.size < MOST_QUOTED) quotes.set(name, text)
  return text
}

/** One line in pino's form; what says nothing is left out. */
function settledText(line: SettledLine, timeMs: number): string {
  const { route, method, outcome, status, id, operationRef, attempts, cause, late, durationMs } = line
  let text = `{"level":${INFO},"time":${timeMs},"service":"${SERVICE}","route":${quoted(route)},"method":${quoted(method)},"outcome":"${outcome}","status":${status},"id":"${id}"`
  if (operationRef !== null) text += `,"operationRef":"${operationRef}"`
  text += `,"attempts":${attempts}`
  if (cause !== null) text += `,"cause":${JSON.stringify(cause)}`
  if (late) text += ',"late":true'
  return `${text},"durationMs":${durationMs},"msg":"request.settled"}\n`
}

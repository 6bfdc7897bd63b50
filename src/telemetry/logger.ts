import { pino, type DestinationStream, type Logger } from 'pino'
import type { Clock, Journal, Random, SettledLine } from '../core/ports.ts'
import { isKept } from '../core/tracing.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LogSettings {
  readonly level: LogLevel
  /** 0 to 1: of the lines of what went as it should, those that are written. The same for all lines of a trace */
  readonly successes: number
}

const SERVICE = 'onceward'

/**
 * JSON lines by pino. The lines are built from fields that are safe by themselves (a route's name, a digest's first
 * characters, a code), so that no key, credential or body can get in; `redact` is the second lock, for fields that a
 * library's own error objects might carry.
 *
 * The one line per request has the same form and goes to the same destination, but is written out here: its type
 * names every field and each is safe, and a walk over an object that looks for others took a tenth of a replay's CPU.
 */
export function openJournal({ level, successes }: LogSettings, destination: DestinationStream, clock: Clock, random: Pick<Random, 'uniform'>): Journal & { readonly logger: Logger } {
  const paths = ['headers', 'body', 'authorization', 'cookie', 'key', '*.headers', '*.body', '*.authorization', '*.cookie']
  const logger = pino({ level, base: { service: SERVICE }, timestamp: () => `,"time":${clock.wallMs()}`, redact: { paths, censor: '[redacted]' } }, destination)
  const settledToo = logger.isLevelEnabled('info')
  const inSample = (traceId: string | null): boolean => successes === 1 || (traceId === null ? random.uniform() < successes : isKept(traceId, successes))
  return {
    logger,
    settled(line) {
      if (settledToo && (!isRoutine(line) || inSample(line.traceId))) destination.write(settledText(line, clock.wallMs()))
    },
    error: (event, detail) => logger.error(detail, event),
    warn: (event, detail) => logger.warn(detail, event),
    info: (event, detail) => logger.info(detail, event),
    routine: (event, detail, traceId) => { if (inSample(traceId)) logger.info(detail, event) },
  }
}

/**
 * A request that went as it should, at its first attempt. Doubts, refusals, mismatches, retries, errors and what came late are
 * never left out.
 */
function isRoutine({ outcome, status, attempts, cause, late }: SettledLine): boolean {
  return (outcome === 'new' || outcome === 'replay') && status >= 100 && status < 400 && attempts <= 1 && cause === null && !late
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
  const { route, method, outcome, status, id, operationRef, attempts, cause, client, late, traceId, spanId, durationMs } = line
  let text = `{"level":${INFO},"time":${timeMs},"service":"${SERVICE}","route":${quoted(route)},"method":${quoted(method)},"outcome":"${outcome}","status":${status},"id":"${id}"`
  if (operationRef !== null) text += `,"operationRef":"${operationRef}"`
  text += `,"attempts":${attempts}`
  if (cause !== null) text += `,"cause":${JSON.stringify(cause)}`
  if (client !== null) text += `,"client":${JSON.stringify(client)}`
  if (late) text += ',"late":true'
  if (traceId !== null) text += `,"trace_id":"${traceId}"`
  if (spanId !== null) text += `,"span_id":"${spanId}"`
  return `${text},"durationMs":${durationMs},"msg":"request.settled"}\n`
}

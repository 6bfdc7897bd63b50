import { pino, type DestinationStream, type Logger, type LoggerOptions } from 'pino'
import type { Journal } from '../core/ports.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/**
 * JSON lines by pino. The lines are built from fields that are safe by themselves (a route's name, a digest's first
 * characters, a code), so that no key, credential or body can get in; `redact` is the second lock, for fields that a
 * library's own error objects might carry.
 */
export function openJournal(level: LogLevel, destination: DestinationStream): Journal & { readonly logger: Logger } {
  const options: LoggerOptions = { level, base: { service: 'onceward' } }
  const logger = pino({ ...options, redact: { paths: ['headers', 'body', 'authorization', 'cookie', 'key', '*.headers', '*.body', '*.authorization', '*.cookie'], censor: '[redacted]' } }, destination)
  // One line per request: its type names every field and each is safe, so the search for others is spared.
  const lines = pino(options, destination)
  return {
    logger,
    settled: (line) => lines.info(line, 'request.settled'),
    error: (event, detail) => logger.error(detail, event),
    warn: (event, detail) => logger.warn(detail, event),
    info: (event, detail) => logger.info(detail, event),
  }
}

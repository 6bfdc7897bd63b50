import { readFileSync } from 'node:fs'

/** Where a command speaks; a test hands in its own. */
export interface Output {
  /** to standard output: what was asked for */
  line(text: string): void
  /** to standard error: what is wrong */
  complaint(text: string): void
}

export const CONSOLE: Output = {
  line: (text) => void process.stdout.write(`${text}\n`),
  complaint: (text) => void process.stderr.write(`${text}\n`),
}

/** From sysexits.h, so that a supervisor can tell a mistake of the configuration from a crash. */
export const EXIT = { ok: 0, cutShort: 1, refused: 1, usage: 64, unavailable: 69, config: 78 } as const

/** The package's version; package.json stands two folders above in src and in dist. */
export function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown'
}

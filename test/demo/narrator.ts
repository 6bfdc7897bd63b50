import { performance } from 'node:perf_hooks'
import type { Aftermath, Sums } from './storm.ts'

/** Plain text for a terminal, a pipe or a CI log: no colours, no cursor movements, 78 columns. */
const WIDTH = 78
const startedAt = performance.now()

/** A paragraph, wrapped. */
export function say(text: string): void {
  for (const line of wrap(text, WIDTH)) process.stdout.write(`${line}\n`)
  process.stdout.write('\n')
}

/** Something that happens now, with the seconds since the start. */
export function happens(text: string): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)
  const [first = '', ...rest] = wrap(text, WIDTH - 9)
  process.stdout.write(`${seconds} s  ${first}\n${rest.map((line) => `         ${line}\n`).join('')}`)
}

export function heading(text: string): void {
  process.stdout.write(`${text}\n${'-'.repeat(text.length)}\n\n`)
}

export function gap(): void {
  process.stdout.write('\n')
}

export function table(bare: Aftermath, bareSums: Sums, guarded: Aftermath, sums: Sums): void {
  const money = (cents: number): string => `${(cents / 100).toFixed(2)} EUR`
  const ranOnce = sums.doubts.filter(({ charges }) => charges.length > 0).length
  const rows: readonly (readonly [string, string | number, string | number])[] = [
    ['charges wanted', bareSums.wanted, sums.wanted],
    ['charges executed', bareSums.executed, sums.executed],
    ['customers charged more than once', bareSums.chargedTwice, sums.chargedTwice],
    ['money taken that nobody owed', money(bareSums.overchargedCents), money(sums.overchargedCents)],
    ['customers shown two different charges', bareSums.contradicted, sums.contradicted],
    ['requests sent, retries included', bare.tally.requests, guarded.tally.requests],
    ['connections broken under a request', bare.tally.brokenConnections, guarded.tally.brokenConnections],
    ['customers hanging up', bare.tally.hangUps, guarded.tally.hangUps],
    ['answers replayed from the store', '-', guarded.tally.replays],
    ['conflicts (409: still being worked on)', '-', guarded.tally.conflicts],
    ['doubts (504: nobody knows)', '-', sums.doubts.length],
    ['  looked up: charged once', '-', ranOnce],
    ['  looked up: never charged', '-', sums.doubts.length - ranOnce],
  ]
  const line = (label: string, ...cells: readonly (string | number)[]): string => `  ${label.padEnd(40)}${cells.map((cell) => String(cell).padStart(17)).join('')}\n`
  process.stdout.write(line('', 'without Onceward', 'with Onceward'))
  process.stdout.write(`  ${'-'.repeat(WIDTH - 4)}\n`)
  for (const row of rows) process.stdout.write(line(...row))
  process.stdout.write('\n')
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

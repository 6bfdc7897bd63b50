import type { DeadLetter, OutboxAct } from '../core/outbox.ts'
import { timeText } from '../core/time-text.ts'
import { printable, table } from './table.ts'

/* Dead letters for people; core/shown.ts has them for programs. Never a payload that nobody asked for: it may hold personal data. */

export function letterTable(letters: readonly DeadLetter[]): string[] {
  return table(['ID', 'SINK', 'LANE', 'TYPE', 'DEAD SINCE', 'ATTEMPTS', 'LANE IS', 'CAUSE'], letters.map(({ id, sink, lane, type, deadAt, attempts, blocks, unbuilt, cause }) => (
    [id, sink, lane, type, timeText(deadAt), unbuilt ? 'unbuilt' : String(attempts), blocks ? 'blocked' : 'open', cause]
  )))
}

export function letterLines({ id, sink, lane, type, committedAt, deadAt, attempts, cause, history, unbuilt, blocks, payload }: DeadLetter): string[] {
  const facts: readonly (readonly [string, string])[] = [
    ['id', id], ['sink', sink], ['lane', `${lane} (${blocks ? 'blocked until this is redriven or discarded' : 'goes on'})`], ['type', type],
    ['committed', timeText(committedAt)], ['dead since', timeText(deadAt)], ['attempts', unbuilt ? 'none: it could not be built' : String(attempts)],
    ['cause', cause], ['payload', `${payload.length} bytes`],
    ...history.map((failure): [string, string] => ['failed', `${timeText(failure.at)}  ${failure.cause}`]),
  ]
  return facts.map(([name, value]) => `${name.padEnd(11)} ${printable(value)}`)
}

export function actTable(acts: readonly OutboxAct[]): string[] {
  return table(['AT', 'VERB', 'EVENT', 'SINK', 'LANE', 'CAUSE', 'BY', 'REASON'], acts.map(({ at, verb, event, sink, lane, cause, by, reason }) => (
    [timeText(at), verb, event, sink, lane, cause, by, reason]
  )))
}

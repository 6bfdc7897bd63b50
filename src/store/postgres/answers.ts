import { StoreUnavailable } from '../../core/ports.ts'
import type { Sent } from '../group-commit.ts'
import type { Connections } from './connections.ts'
import { Refused } from './faults.ts'

/*
 * A batch is asked about until every operation has its answer:
 *
 *     open --step--> answered
 *       '--(not answered: changed since the snapshot)--> open
 *       '--(refused, with neighbours)--> each alone
 *       '--(unknown, and time is left)--> open: asked again as the same holder, by a statement that writes
 *       '--(time is up, or nobody there)--> failed: 'unknown' if anything was unknown on the way
 */

/** Answers operations by their places in the batch; those that it leaves out are asked about again. */
export type Step<Outcome> = (open: readonly number[], answer: (place: number, outcome: Outcome) => void) => Promise<void>

/** `places` in the order of their ids, so that two processes never wait for one another. */
export async function answerAll<Outcome>(places: readonly number[], connections: Connections, until: number, step: Step<Outcome>): Promise<Sent<Outcome>[]> {
  const answers: Sent<Outcome>[] = []
  const answer = (place: number, outcome: Outcome): void => { answers[place] = { kind: 'done', outcome } }
  await ask(places)
  return answers

  async function ask(asked: readonly number[]): Promise<void> {
    let open = asked
    let written: 'no' | 'unknown' = 'no'
    while (open.length > 0) {
      try {
        await step(open, answer)
      } catch (error) {
        if (!(error instanceof StoreUnavailable) && !(error instanceof Refused)) throw error
        open = unanswered(open)
        if (error instanceof Refused && open.length > 1) {
          await Promise.all(open.map((place) => ask([place])))
          return
        }
        if (error instanceof StoreUnavailable && error.written === 'unknown') written = 'unknown'
        if (error instanceof Refused || error.written === 'no' || connections.isPast(until)) {
          const failed: Sent<Outcome> = { kind: 'failed', error: new StoreUnavailable(written, error.message, error) }
          for (const place of open) answers[place] = failed
          return
        }
      }
      open = unanswered(open)
    }
  }

  function unanswered(open: readonly number[]): number[] {
    return open.filter((place) => answers[place] === undefined)
  }
}

/** The places of a batch in the order of their ids' bytes, in which the database goes through its index. */
export function inOrder(batch: readonly { readonly id: string }[]): number[] {
  const idAt = (place: number): string => batch[place]?.id ?? ''
  return Array.from(batch, (_, place) => place).sort((a, b) => compareIds(idAt(a), idAt(b)))
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const RANKS = Array.from({ length: 128 }, (_, code) => BASE64URL.indexOf(String.fromCharCode(code)))

/** Characters of base64url do not sort as the bytes that they stand for. Ids mostly differ in the first one. */
function compareIds(a: string, b: string): number {
  for (let at = 0; at < a.length; at += 1) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (left !== right) return (RANKS[left] ?? left) - (RANKS[right] ?? right)
  }
  return a.length - b.length
}

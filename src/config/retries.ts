import type { StatusPolicy } from '../core/attempt.ts'
import type { Jitter } from '../core/backoff.ts'
import type { BreakerSettings } from '../core/breaker.ts'
import type { BudgetSettings } from '../core/budget.ts'
import type { DeadlineHeader } from '../core/deadline.ts'
import type { RetryPolicy } from '../core/retry.ts'
import type { PassRetry } from '../core/route.ts'
import { defaultsOf, SCHEMA, type Document } from './schema.ts'
import { parseDuration, parseSize } from './units.ts'

/** What routes and the process run on, of `retry`, `budgets` and `breaker` as they were written. */

type Groups = NonNullable<Document['defaults']>
type Written = NonNullable<Groups['retry']>
/** with what `defaults` and the schema add to it */
interface Filled extends Deadlines {
  readonly attempts: number
  readonly base: string
  readonly cap: string
  readonly jitter: Jitter
  readonly per_try_timeout?: string
  readonly budget: string
  readonly methods: readonly string[]
  readonly body: string
}
type Deadlines = Pick<Written, 'deadline_from' | 'deadline_to'>

export function retryOf({ attempts, base, cap, jitter, per_try_timeout: perTry, budget }: Filled): RetryPolicy {
  return { attempts, backoff: { baseMs: ms(base), capMs: ms(cap), jitter }, perTryMs: perTry === undefined ? null : ms(perTry), budget }
}

export function deadlinesOf({ deadline_from: from, deadline_to: to }: Deadlines): { readonly deadlineFrom: DeadlineHeader | null, readonly deadlineTo: DeadlineHeader | null } {
  const deadlineFrom = from === undefined ? null : headerOf(from)
  return { deadlineFrom, deadlineTo: to === undefined ? deadlineFrom : headerOf(to) }
}

export function passRetryOf(retry: Filled, status: StatusPolicy): PassRetry {
  return { ...retryOf(retry), methods: new Set(retry.methods), status, bodyBytes: parseSize(retry.body) ?? 0, ...deadlinesOf(retry) }
}

export function budgetsOf(written: Document['budgets']): ReadonlyMap<string, BudgetSettings> {
  return new Map(Object.entries({ default: {}, ...written }).map(([name, budget]) => [name, budgetOf(budget)]))
}

function budgetOf(written: NonNullable<Document['budgets']>[string]): BudgetSettings {
  const { ratio, min_per_second: minPerSecond, window, shared, max_in_flight: maxInFlight } = { ...defaultsOf(SCHEMA.properties.budgets.additionalProperties), ...written }
  return { ratio, minPerSecond, windowMs: ms(window), shared, maxInFlight }
}

export function breakerOf(written: Document['breaker']): BreakerSettings | null {
  if (written === undefined) return null
  const { ratio, min_attempts: minAttempts, window, pause } = { ...defaultsOf(SCHEMA.properties.breaker), ...written }
  return { ratio, minAttempts, windowMs: ms(window), pauseMs: ms(pause) }
}

/** One sentence for everything that is allowed and will hurt. */
export function retryWarnings({ defaults, routes, budgets, store }: Document): string[] {
  const layers = [{ name: 'defaults', retry: defaults?.retry }, ...(routes ?? []).map(({ name, retry }) => ({ name: `the route ${name}`, retry }))]
  const unjittered = layers.filter(({ retry }) => retry?.jitter === 'none').map(({ name }) => (
    `${name} says jitter: none: requests that fail together are sent again together, and again; it is there to be compared with full`
  ))
  const alone = Object.entries(budgets ?? {}).filter(([, { shared }]) => shared === true && store?.redis === undefined).map(([name]) => (
    `budgets.${name} says shared: true, and there is no store.redis to share it through: each process has a budget of its own`
  ))
  return [...unjittered, ...alone]
}

function headerOf({ header, form }: NonNullable<Written['deadline_from']>): DeadlineHeader {
  return { header: header.toLowerCase(), form }
}

/** The schema has accepted the text with the same parser. */
function ms(text: string): number {
  const parsed = parseDuration(text)
  if (parsed === undefined) throw new Error('the schema accepted a duration that its parser refuses')
  return parsed
}

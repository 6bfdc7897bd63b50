import { Counter, type Registry } from 'prom-client'
import { SHADOW_OUTCOMES, type ShadowCounts, type ShadowMeter, type ShadowOutcome } from '../core/shadow.ts'

type Counts = Record<ShadowOutcome, number>

/** What enforcement would have done on shadowed routes. */
export class ShadowMetrics implements ShadowMeter, ShadowCounts {
  readonly #routes = new Map<string, Counts>()

  constructor(registry: Registry) {
    const routes = this.#routes
    registry.registerMetric(new Counter({
      name: 'onceward_shadow_total', help: 'Requests of routes in shadow mode by what enforcement would have done with them; unknown: nothing was looked up.', labelNames: ['outcome', 'route'], registers: [],
      collect() {
        this.reset()
        for (const [route, counts] of routes) for (const outcome of SHADOW_OUTCOMES) this.inc({ outcome, route }, counts[outcome])
      },
    }))
  }

  /** These routes are shadowed: their series begin at 0, and those of routes that are not any more stay as they are. */
  routes(names: readonly string[]): void {
    for (const name of names) this.#of(name)
  }

  shadowed(outcome: ShadowOutcome, route: string): void {
    this.#of(route)[outcome] += 1
  }

  counts(): ReturnType<ShadowCounts['counts']> {
    return [...this.#routes].map(([route, outcomes]) => ({ route, outcomes: { ...outcomes } }))
  }

  #of(route: string): Counts {
    let counts = this.#routes.get(route)
    if (counts === undefined) this.#routes.set(route, counts = { new: 0, replay: 0, in_flight: 0, mismatch: 0, uncertain: 0, missing: 0, invalid: 0, unknown: 0 })
    return counts
  }
}

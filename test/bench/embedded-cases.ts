import { startMeasured, startProduct } from './product.ts'
import { loadCase, type Case } from './rounds.ts'
import type { Scene, Target } from './scene.ts'
import { verdict, YARDSTICK, type Bar } from './table.ts'

const NEW_KEY = 'new key, embedded'

export const EMBEDDED_BARS: Readonly<Record<string, readonly Bar[]>> = { [NEW_KEY]: [{ kind: 'cpu', of: YARDSTICK, atMost: 1.2 }] }

const MOST_IDLE_RSS_MB = 125
const MOST_READY_MS = 1000

export interface EmbeddedCases {
  readonly cases: readonly Case[]
  /** says what a start takes; false if it is too much */
  start(): boolean
}

/** The product without a file: what a first user has. */
export async function embeddedCases(scene: Scene, upstream: Target): Promise<EmbeddedCases> {
  const passing = await startMeasured(scene, { upstream, name: 'passing' })
  const claiming = await startProduct(scene, { upstream, name: 'claiming' })
  return {
    cases: [loadCase('pass-through', passing, 'none'), loadCase(NEW_KEY, claiming, 'new')],
    start() {
      const [small, quick] = [passing.idleRssMb <= MOST_IDLE_RSS_MB, passing.readyMs <= MOST_READY_MS]
      verdict(`idle RSS ${passing.idleRssMb.toFixed(0)} MB`, `at most ${MOST_IDLE_RSS_MB}`, small)
      verdict(`ready after ${passing.readyMs.toFixed(0)} ms`, `at most ${MOST_READY_MS}`, quick)
      return small && quick
    },
  }
}

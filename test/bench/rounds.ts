import { cpuUs } from './cpu.ts'
import { KEYS_TO_REPLAY } from './requests.ts'
import { ran, type Target } from './scene.ts'

/** Clients of the loads, all busy, where nothing else is said. */
const CLIENTS = 64

export interface Round {
  readonly perSecond: number
  /** of the process that is measured; null where there is none */
  readonly cpuUs: number | null
  readonly p50: number
  /** null where nobody counted it */
  readonly p99: number | null
  readonly failed: number
}

/** Something to be measured, in rounds that alternate with those of the other cases. */
export interface Case {
  readonly name: string
  readonly round: (label: string, ms: number) => Promise<Round>
}

export interface Loaded { readonly answered: number, readonly failed: number, readonly elapsedMs: number, readonly p50: number, readonly p99: number }
export type Keys = 'none' | 'new' | 'same' | 'once'

/** Longest time for making the keys that a round of replays asks for. */
const MAKES_KEYS_MS = 20_000

export function loadCase(name: string, target: Target, keys: Exclude<Keys, 'once'>, clients = CLIENTS): Case {
  return {
    name,
    async round(label, ms) {
      const prefix = clients === CLIENTS ? `${keys}-${label}` : `${keys}-${label}-${clients}`
      if (keys === 'same') await load(target, MAKES_KEYS_MS, 'once', prefix, KEYS_TO_REPLAY)
      return (await measured(target, () => load(target, ms, keys, prefix, 0, clients))).round
    },
  }
}

export async function measured(target: Target, work: () => Promise<Loaded>): Promise<{ readonly round: Round, readonly loaded: Loaded }> {
  const before = cpuUs(target.pid)
  const loaded = await work()
  const { answered, failed, elapsedMs, p50, p99 } = loaded
  return { loaded, round: { perSecond: answered / (elapsedMs / 1000), cpuUs: (cpuUs(target.pid) - before) / answered, p50, p99, failed } }
}

export function load(target: Target, ms: number, keys: Keys, prefix: string, available = 0, clients = CLIENTS): Promise<Loaded> {
  return ran<Loaded>('load.ts', [target.port, clients, ms, keys, prefix, available])
}

/** How the labels of rounds that do not count begin. */
export const WARM = 'warm'

/** How often what is measured, and for how long. */
export interface Course {
  readonly warmUp: number
  readonly rounds: number
  readonly ms: number
}

/** `warmUp` rounds each that do not count (JIT, pools, page cache), then all cases in turn, again and again. No two runs may name their keys alike. */
export async function alternate(cases: readonly Case[], { warmUp, rounds, ms }: Course, labelled = (label: string): string => label): Promise<Map<string, Round[]>> {
  const results = new Map<string, Round[]>(cases.map(({ name }) => [name, []]))
  for (let i = 0; i < warmUp; i += 1) for (const one of cases) await one.round(labelled(`${WARM}${i}`), ms)
  for (let i = 0; i < rounds; i += 1) {
    for (const one of cases) results.get(one.name)?.push(await one.round(labelled(`r${i}`), ms))
  }
  return results
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

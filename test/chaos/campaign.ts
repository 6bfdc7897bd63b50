import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Nursery } from './children.ts'
import { between, chance, oneOf } from './chance.ts'
import { LATE_HOLDERS, runLateHolder, type LateHolder } from './late-holder.ts'
import { STEPS, WRITES, type Bug, type Weights, type Write } from './protocol.ts'
import { operationsOf, runTrial, type Death, type Ground, type Plan, type Report } from './trial.ts'

/* Which trials there are, and how many of them run side by side. */

export interface Trial {
  readonly name: string
  readonly group: string
  /** how to run this one alone */
  readonly again: string
  run(ground: Ground): Promise<Report>
}

const MIXED: Weights = {
  'answer': 8, 'slow': 3, 'overdue': 1, 'hang': 0.3, 'streamed': 0.7,
  'reset-before-work': 1, 'reset-after-work': 1.5, 'reset-in-reply': 1,
  'error-500': 1, 'gateway-502': 0.7, 'gateway-502-after-work': 0.7,
  'refuse-503': 1.2, 'refuse-429': 0.7, 'refuse-401': 0.5,
}

const CRASHING: Weights = { 'answer': 6, 'slow': 2, 'reset-after-work': 1, 'reset-before-work': 1, 'refuse-503': 1 }

/** What the upstream must do for a write to happen often enough. */
const LEADING_TO: Readonly<Record<Write, Weights>> = {
  claim: CRASHING,
  complete: CRASHING,
  abandon: { 'answer': 1, 'reset-after-work': 2, 'reset-in-reply': 1, 'gateway-502': 1 },
  release: { 'answer': 1, 'refuse-503': 2, 'refuse-429': 1, 'refuse-401': 1 },
}

/** kill -9 at every checkpoint and around every write, at its first to `hits`-th time, and at what is seen from outside. */
export function crashTrials(hits: number): Trial[] {
  const nths = Array.from({ length: hits }, (_, i) => i + 1)
  const deaths = nths.flatMap((nth): { readonly death: Exclude<Death, { at: 'rest' }>, readonly group: string, readonly weights: Weights }[] => [
    ...STEPS.map((step) => ({ death: { at: 'step', step, nth } as const, group: `kill at ${step}`, weights: CRASHING })),
    ...WRITES.map((write) => ({ death: { at: 'write', write, nth, delayMs: (nth - 1) % 4 } as const, group: `kill in write ${write}`, weights: LEADING_TO[write] })),
    { death: { at: 'heard', nth }, group: 'kill when an answer is heard', weights: CRASHING },
    { death: { at: 'arrived', nth }, group: 'kill when the upstream has it', weights: CRASHING },
  ])
  return deaths.map(({ death, group, weights }, i) => {
    const plan: Plan = {
      name: `${group}, number ${death.nth}`, group, weights, seed: 1000 + i,
      operations: operationsOf(1000 + i, 12, ['hold', 'hold', 'wait']),
      replicas: i % 3 === 2 ? 2 : 1, storeFaultShare: 0, lives: [death], mustDie: death.at === 'step',
    }
    return trialOf(plan, `--crash ${i}`)
  })
}

export function lateTrials(): Trial[] {
  return LATE_HOLDERS.map((scenario: LateHolder, i) => ({ name: scenario.name, group: 'late holder', again: `--late ${i}`, run: (ground) => runLateHolder(scenario, ground) }))
}

/** A trial that follows from its seed alone. */
export function randomTrial(seed: number): Trial {
  const random = chance(seed, 'plan')
  const lives = Array.from({ length: random() < 0.35 ? 2 : 1 }, () => randomDeath(random))
  const plan: Plan = {
    name: `random run, seed ${seed}`, group: 'random', seed,
    operations: operationsOf(seed, between(random, 8, 16), ['hold', 'hold', 'hold', 'wait', 'wait', 'resend']),
    weights: MIXED, replicas: random() < 0.5 ? 2 : 1, storeFaultShare: random() < 0.5 ? 0.08 : 0, lives, mustDie: false,
  }
  return trialOf(plan, `--seed ${seed}`)
}

function randomDeath(random: () => number): Death {
  const nth = between(random, 1, 10)
  switch (oneOf(random, ['step', 'step', 'step', 'write', 'write', 'heard', 'arrived', 'rest'])) {
    case 'step': return { at: 'step', step: oneOf(random, STEPS as readonly [typeof STEPS[number], ...typeof STEPS[number][]]), nth }
    case 'write': return { at: 'write', write: oneOf(random, WRITES as readonly [Write, ...Write[]]), nth: between(random, 1, 5), delayMs: between(random, 0, 4) }
    case 'heard': return { at: 'heard', nth }
    case 'arrived': return { at: 'arrived', nth }
    default: return { at: 'rest' }
  }
}

function trialOf(plan: Plan, again: string): Trial {
  return { name: plan.name, group: plan.group, again, run: (ground) => runTrial(plan, ground) }
}

/** Several times what the longest trial takes on a busy machine. */
export const TRIAL_MS = 75_000

export interface Campaign {
  readonly trials: readonly Trial[]
  readonly bug: Bug | null
  /** trials side by side; they mostly wait for leases to end */
  readonly lanes: number
  /** called after each trial */
  readonly told: (trial: Trial, report: Report) => void
  /** longest time for one trial */
  readonly trialMs: number
  /** keeps the files of a trial that failed */
  readonly keepFailed: boolean
}

/** Runs all trials, each on fresh files and in fresh processes; never rejects because of one of them. */
export async function runCampaign({ trials, bug, lanes, told, trialMs, keepFailed }: Campaign): Promise<Report[]> {
  const dir = await mkdtemp(join(tmpdir(), 'onceward-chaos-'))
  const reports: Report[] = []
  const left = trials.entries()
  let failed = false
  await Promise.all(Array.from({ length: lanes }, async () => {
    for (const [i, trial] of left) {
      const nursery = new Nursery(join(dir, 'compile-cache'))
      const ground: Ground = { dir: join(dir, `trial-${i}`), nursery, bug }
      await mkdir(ground.dir)
      const report = await inTime(trial.run(ground), trialMs).catch((error: unknown): Report => brokenTrial(trial, error))
      await nursery.clear()
      reports.push(report)
      told(trial, report)
      const good = report.violations.length === 0 && report.broken === null
      failed ||= !good
      if (good || !keepFailed) await rm(ground.dir, { recursive: true, force: true })
      else process.stderr.write(`  files: ${ground.dir}\n`)
    }
  }))
  if (!failed || !keepFailed) await rm(dir, { recursive: true, force: true })
  return reports
}

async function inTime<T>(result: Promise<T>, trialMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the trial did not end within ${trialMs / 1000} s`)), trialMs)
  })
  try {
    return await Promise.race([result, late])
  } finally {
    clearTimeout(timer)
  }
}

function brokenTrial({ name, group }: Trial, error: unknown): Report {
  const counts = { keys: 0, askings: 0, answers: 0, executions: 0, sendings: 0, completed: 0, uncertain: 0 }
  const broken = error instanceof Error ? error.stack ?? error.message : String(error)
  return { plan: { name, group }, violations: [], broken, deaths: [], counts, figures: [] }
}

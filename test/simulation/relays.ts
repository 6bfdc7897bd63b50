import { chance } from '../chaos/chance.ts'
import type { Delivery, Outgoing } from '../../src/core/delivery.ts'
import type { OutboxStore } from '../../src/core/outbox-ports.ts'
import { StoreUnavailable } from '../../src/core/ports.ts'
import type { Relay } from '../../src/relay/relay.ts'
import { event, relayScene, type RelayScene } from '../support/relay-scene.ts'
import { DELIVERED, POISONED, scriptedSink, SINK_IS_AWAY, TIMED_OUT } from '../support/scripted-sink.ts'

/*
 * A fleet of relays over one store and one receiver, with everything that may go wrong at random times: receivers that fail, hang, or
 * lose the answer, stores that do not answer or whose answer is lost, renewals that are held up, processes that die, rows that
 * commit late, operators who redrive. The clock is the test's, so a minute costs nothing and a seed shows the same again.
 */

export interface Sabotage {
  /** how a test sees that the checks can fail */
  readonly bug: 'none' | 'stale-relays-go-on' | 'cursor-over-rows' | 'busy-forgotten'
}

export interface Outcome {
  readonly committed: number
  /** ids that never arrived */
  readonly lost: readonly string[]
  /** lanes in which some event arrived for the first time before one that stood ahead of it */
  readonly disordered: readonly string[]
  /** arrivals beyond the first of an id */
  readonly duplicates: number
  /** the same id with another payload */
  readonly forged: readonly string[]
  /** steps at which events were neither waiting nor dead nor at the receiver */
  readonly leaks: number
  /** sends that a relay began after another one had taken over */
  readonly stale: number
  readonly dead: number
  readonly takeovers: number
}

const STEPS = 300
const STEP_MS = 100
const LEASE_MS = 3000
const ANY = { id: null, sink: null, lane: null, type: null } as const

export async function simulateRelays(seed: number, { bug }: Sabotage = { bug: 'none' }): Promise<Outcome> {
  const random = chance(seed, 'relays')
  const scene = relayScene(random)
  const { clock, store } = scene
  const arrived = new Map<string, string>()
  const firsts: { readonly id: string, readonly lane: string }[] = []
  const rows: { readonly id: string, readonly lane: string, readonly late: boolean }[] = []
  const late: (() => void)[] = []
  let [duplicates, leaks, stale, trouble, dead] = [0, 0, 0, true, 0]
  const forged: string[] = []
  const fences = new Set<number>()

  const arrive = ({ id, lane, payload }: Outgoing): void => {
    const text = Buffer.from(payload).toString()
    const known = arrived.get(id)
    if (known === undefined) firsts.push({ id, lane })
    else duplicates += 1
    if (known !== undefined && known !== text) forged.push(id)
    arrived.set(id, text)
  }

  const deliver = (process: Process) => (event: Outgoing, signal: AbortSignal): Promise<Delivery> => new Promise((resolve) => {
    if ((process.fence ?? 0) < Math.max(...fences)) stale += 1
    const dice = trouble ? random() : 1
    const takesMs = 1 + random() * (trouble && random() < 0.05 ? 8000 : 40)
    const cancel = clock.after(takesMs, () => {
      if (process.dead) return
      if (dice < 0.03) return resolve(SINK_IS_AWAY)
      if (dice < 0.06) return resolve(TIMED_OUT)
      if (dice < 0.1) return resolve(POISONED)
      arrive(event)
      resolve(dice < 0.15 ? TIMED_OUT : DELIVERED) // its answer is lost
    })
    if (bug !== 'stale-relays-go-on') signal.addEventListener('abort', () => {
      cancel()
      resolve(TIMED_OUT)
    })
    process.onDeath.push(cancel)
  })

  const start = (): Process => {
    const process: Process = { dead: false, stalled: false, onDeath: [], relay: null }
    const sink = scriptedSink(deliver(process), { atOnce: 8 })
    const { relay } = scene.relay(sink, { leaseMs: LEASE_MS, attempts: 3, baseMs: 50, capMs: 500, lanes: 8, catchUp: { aboveMs: 5000, rate: 300, rampMs: 500 } }, (own) => hazardous(own, process))
    process.relay = relay
    relay.start()
    return process
  }

  const hazardous = (own: OutboxStore, process: Process): OutboxStore => {
    let seen = 0
    return new Proxy(own, {
      get: (_, name: keyof OutboxStore) => async (...args: unknown[]): Promise<unknown> => {
        if (process.dead) return await new Promise(() => undefined)
        if (name === 'lead' && process.stalled) {
          // a renewal that hangs; with the bug its relay goes on trusting
          if (bug === 'stale-relays-go-on') return { kind: 'leading', lead: { sink: 'hook', holder: args[1], fence: process.fence ?? 0 } }
          await new Promise<void>((resolve) => { clock.after(LEASE_MS * 2, resolve) })
        }
        const fault = trouble ? random() : 1
        if (fault < 0.02) throw new StoreUnavailable('no', 'away')
        const asked = name === 'take' && bug === 'busy-forgotten' ? [{ ...wantedOf(args[0]), busy: [] }] : args
        const result = await (own[name] as (...args: unknown[]) => Promise<unknown>)(...asked)
        if (process.dead) return await new Promise(() => undefined)
        if (name === 'lead' && isLeading(result)) {
          process.fence = result.lead.fence
          fences.add(result.lead.fence)
        }
        if (name === 'take' && bug === 'cursor-over-rows' && isTaken(result)) {
          const events = result.events.filter(({ row, attempts, firstFailedMs }) => row > seen || attempts > 0 || firstFailedMs !== null)
          seen = Math.max(seen, ...events.map(({ row }) => row))
          return { ...result, events }
        }
        if (fault < 0.04) throw new StoreUnavailable('unknown', 'the answer is lost')
        return result
      },
    })
  }

  let fleet = [start(), start()]
  for (let step = 0; step < STEPS; step += 1) {
    if (step === STEPS / 2) trouble = false
    const made = trouble ? Math.floor(random() * 4) : 0
    for (let i = 0; i < made; i += 1) {
      const one = event(`lane-${Math.floor(random() * 6)}`)
      const commit = store.begin(one)
      const isLate = random() < 0.1
      rows.push({ id: one.id, lane: one.lane, late: isLate })
      if (isLate) late.push(commit)
      else commit()
      scene.bell.ring('hook')
    }
    if (!trouble || random() < 0.2) late.shift()?.()
    if (trouble && random() < 0.02) fleet = replaced(fleet, Math.floor(random() * 2), start)
    if (trouble && random() < 0.03) stall(fleet[Math.floor(random() * 2)], scene)
    if (random() < 0.1) dead += (await store.redrive(ANY, 10, { by: 'simulation', reason: 'cured' })).redriven
    await clock.advance(STEP_MS)
    const here = rows.length - late.length - store.waiting - (await store.deadLetters(ANY, 10_000, null)).length
    if (here > arrived.size) leaks += 1
  }
  for (const process of fleet) process.stalled = false
  while (late.length > 0) late.shift()?.()
  for (let i = 0; i < 400 && (store.waiting > 0 || (await store.deadLetters(ANY, 1, null)).length > 0); i += 1) {
    dead += (await store.redrive(ANY, 1000, { by: 'simulation', reason: 'cured' })).redriven
    await clock.advance(STEP_MS)
  }
  const places = new Map(rows.filter(({ late: isLate }) => !isLate).map(({ id }, place) => [id, place]))
  const last = new Map<string, number>()
  const disordered = firsts.flatMap(({ id, lane }) => {
    const place = places.get(id)
    if (place === undefined) return []
    const before = last.get(lane) ?? -1
    last.set(lane, Math.max(before, place))
    return place < before ? [lane] : []
  })
  return {
    committed: rows.length, lost: rows.filter(({ id }) => !arrived.has(id)).map(({ id }) => id), disordered, duplicates, forged, leaks, stale, dead, takeovers: fences.size - 1,
  }
}

interface Process {
  dead: boolean
  stalled: boolean
  readonly onDeath: (() => void)[]
  relay: Relay | null
  fence?: number
}

/** kill -9: nothing of it moves any more, and what was on its way may have arrived. */
function replaced(fleet: readonly Process[], at: number, start: () => Process): Process[] {
  return fleet.map((process, i) => {
    if (i !== at) return process
    process.dead = true
    for (const cancel of process.onDeath) cancel()
    return start()
  })
}

function stall(process: Process | undefined, { clock }: RelayScene): void {
  if (process === undefined) return
  process.stalled = true
  clock.after(LEASE_MS * 1.7, () => { process.stalled = false })
}

function wantedOf(asked: unknown): object {
  return typeof asked === 'object' && asked !== null ? asked : {}
}

function isLeading(result: unknown): result is { readonly lead: { readonly fence: number } } {
  return typeof result === 'object' && result !== null && 'kind' in result && result.kind === 'leading'
}

function isTaken(result: unknown): result is { readonly events: readonly { readonly row: number, readonly attempts: number, readonly firstFailedMs: number | null }[] } {
  return typeof result === 'object' && result !== null && 'events' in result
}

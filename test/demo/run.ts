import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { countByIntent, type Charge } from '../support/charge-service.ts'
import { seededRandom } from '../support/flaky-relay.ts'
import { SidecarProcess } from '../support/sidecar-process.ts'
import { drawCustomers, type Customer } from './customers.ts'
import { gap, happens, heading, say, table } from './narrator.ts'
import { storm, sumUp, type Aftermath, type Sums } from './storm.ts'

/*
 * `npm run demo [-- --seed 7]`: the same customers pay twice, once at a legacy service as it is and once through
 * Onceward, whose process is killed in the middle. Loopback only, about 15 s, leaves nothing behind.
 *
 * Exit codes: 0 if Onceward kept every charge single and the bare service did not; 1 if not, or if the demo could not
 * come to its end; 64 for a wrong option; 130 if a signal stopped it.
 */

const CUSTOMERS = 400
const ARRIVE_WITHIN_MS = 5000
/** Several times what the demo needs, on a slow machine too. */
const ENDS_AT_THE_LATEST_MS = 90_000

/** The default lease of 60 s would make a demo of a minute; 3 s is the least that is accepted. */
const CONFIG = `\
defaults:
  idempotency:
    lease: 3s          # how long a key stays in flight after its process died
    anonymous: share   # these customers send no credentials
`

/** The kill comes when so much of the work is done and so many charges are made that no client has heard of. */
const KILL_AFTER = 0.4
const KILL_WITH_UNANSWERED = 5

/** Says by its reason why the demo must end now. */
const over = new AbortController()
const STOPPED = new Error('it was stopped by a signal')
// `on`, not `once`: under npm a Ctrl-C arrives twice, and the second must not end the process before it has cleaned up.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => over.abort(STOPPED))

const chosen = readSeed()
if (chosen === undefined) {
  process.stderr.write('usage: npm run demo [-- --seed NUMBER]\n')
  process.exitCode = 64
} else {
  const overdue = setTimeout(() => over.abort(new Error(`it should have ended within ${ENDS_AT_THE_LATEST_MS / 1000} s`)), ENDS_AT_THE_LATEST_MS)
  try {
    process.exitCode = await demo(chosen, over.signal) ? 0 : 1
  } catch (error) {
    const cause: unknown = over.signal.aborted ? over.signal.reason : error
    process.stderr.write(`\nThe demo ended early: ${cause instanceof Error ? cause.message : String(cause)}\n`)
    process.exitCode = cause === STOPPED ? 130 : 1
  } finally {
    clearTimeout(overdue)
  }
}

async function demo(seed: number, signal: AbortSignal): Promise<boolean> {
  const customers = drawCustomers(CUSTOMERS, ARRIVE_WITHIN_MS, seededRandom(seed))
  introduce(customers, seed)

  heading('1. Without Onceward:  customers ~~ bad network ~~ charge service')
  const bare = await storm({ customers, seed, signal, inFront: (service) => Promise.resolve(service.port), onCharge: progress(customers.length) })
  const bareSums = sumUp(bare)
  happens('everybody has an answer')
  gap()

  heading('2. With Onceward:  customers ~~ bad network ~~ onceward -- charge service')
  const guarded = await guardedStorm(customers, seed, signal)
  const sums = sumUp(guarded)
  happens('everybody has an answer, or the honest word that there is none')
  gap()

  lookUp(sums)
  heading('What it came to')
  table(bare, bareSums, guarded, sums)
  return conclude(bareSums, sums)
}

async function guardedStorm(customers: readonly Customer[], seed: number, signal: AbortSignal): Promise<Aftermath> {
  const directory = await mkdtemp(join(tmpdir(), 'onceward-demo-'))
  const config = join(directory, 'onceward.yaml')
  let sidecar: SidecarProcess | null = null
  let crash: Promise<void> = Promise.resolve()
  let crashed = false
  const tick = progress(customers.length)
  try {
    await writeFile(config, CONFIG)
    return await storm({
      customers, seed, signal,
      inFront: async ({ origin }) => {
        sidecar = new SidecarProcess({ upstream: origin, config, dataDir: join(directory, 'data') })
        await sidecar.start()
        happens(`Onceward runs as process ${sidecar.pid} and keeps its keys in a file on disk`)
        return sidecar.port
      },
      onCharge: (ledger, unanswered) => {
        tick(ledger)
        if (sidecar === null || crashed || ledger.length < customers.length * KILL_AFTER || unanswered < KILL_WITH_UNANSWERED) return
        crashed = true
        crash = killAndRestart(sidecar, unanswered).catch((error: unknown) => over.abort(error))
      },
    })
  } finally {
    await crash
    await stop(sidecar)
    await rm(directory, { recursive: true, force: true })
  }
}

/** Settles only after the sidecar is up again, so that nothing is left to start when the demo cleans up. */
async function killAndRestart(sidecar: SidecarProcess, unanswered: number): Promise<void> {
  happens(`kill -9 ${sidecar.pid}, while ${unanswered} charges are made and not answered yet`)
  await sidecar.kill()
  await sidecar.start()
  happens(`started again as ${sidecar.pid} on the same file: what was answered stays answered; a key that was in flight is held for its lease of 3 s (409) and is a doubt from then on (504)`)
}

async function stop(sidecar: SidecarProcess | null): Promise<void> {
  if (sidecar !== null) await sidecar.stop()
}

function introduce(customers: readonly Customer[], seed: number): void {
  const twice = customers.filter(({ clicks }) => clicks === 2).length
  const hurried = customers.filter(({ patienceMs }) => patienceMs < 1000).length
  gap()
  say(`A legacy service charges a card for every POST it reads; it has never heard of Idempotency-Key. ${customers.length} customers each want to be charged ONCE. ${twice} of them press the button twice, ${hurried} hang up on slow answers, and their network breaks connections before the request, after it, and in the middle of the reply. Whoever gets no answer asks again, always with the same key.`)
  say(`First they meet the service as it is. Then the same customers and the same network again, with Onceward in between, and Onceward's process is killed in the middle. (seed ${seed})`)
}

function progress(wanted: number): (ledger: readonly Charge[]) => void {
  const milestones = [0.25, 0.5, 0.75, 1].map((part) => Math.round(wanted * part))
  return (ledger) => {
    if (!milestones.includes(ledger.length)) return
    const tooMany = ledger.length - countByIntent(ledger).size
    happens(`${ledger.length} charges made, ${tooMany === 0 ? 'none' : tooMany} of them for an order that was paid already`)
  }
}

/** The service's ledger knows what the sidecar cannot know. */
function lookUp({ doubts }: Sums): void {
  if (doubts.length === 0) return
  say(`Keys in flight when the sidecar died: ${doubts.length}. It knows that it may have sent these requests and not what became of them, so it runs none of them again. Looked up in the service's ledger, as an operator would:`)
  for (const { customer, operationRef, charges } of doubts) {
    const found = charges.length === 0 ? 'never charged: safe to charge anew' : `charged ${charges.length === 1 ? 'once' : `${charges.length} TIMES`}: ${charges.map(({ id }) => id).join(', ')}`
    process.stdout.write(`  ${customer.intent}   ${operationRef}   ${found}\n`)
  }
  gap()
}

function conclude(bare: Sums, sums: Sums): boolean {
  const kept = sums.chargedTwice === 0 && sums.contradicted === 0 && sums.lies === 0
  const stranded = [...bare.stranded, ...sums.stranded]
  if (kept) say(`With Onceward nobody was charged twice, although everybody retried at will and its process was killed at work. Without it, ${bare.chargedTwice} of ${bare.wanted} customers were.`)
  else say(`THIS SHOULD NOT BE: with Onceward ${sums.chargedTwice} customers were charged twice, ${sums.contradicted} were shown two charges, ${sums.lies} were shown one that is not theirs.`)
  if (sums.doubts.length > 0) say(`The doubts (${sums.doubts.length}) are the price of that, paid in the open: no proxy can know what a service did whose answer it did not live to see. Onceward says so instead of guessing, and a look-up settles it.`)
  if (bare.chargedTwice === 0) say('Without Onceward nobody was charged twice either, so this run shows nothing. Try another --seed.')
  if (stranded.length > 0) say(`Without any answer: ${stranded.slice(0, 5).join('; ')}`)
  return kept && bare.chargedTwice > 0 && stranded.length === 0
}

/** A whole number; undefined for anything else on the command line. */
function readSeed(): number | undefined {
  try {
    const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' } } })
    return /^\d{1,9}$/.test(values.seed) ? Number(values.seed) : undefined
  } catch {
    return undefined
  }
}

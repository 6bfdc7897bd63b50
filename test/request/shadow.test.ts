import fc from 'fast-check'
import { test } from 'tap'
import type { AttemptOutcome } from '../../src/core/attempt.ts'
import { problem } from '../../src/core/problem.ts'
import type { Route } from '../../src/core/route.ts'
import type { ContentWatch, PassedOn, PassingCall } from '../../src/request/pass-on.ts'
import { Shadow, type Watched } from '../../src/request/shadow.ts'
import { ShadowQueue } from '../../src/request/shadow-queue.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { flowOver } from '../support/flow.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { MemoryShadowStore } from '../support/memory-shadow-store.ts'
import { NotedJournal } from '../support/quiet.ts'

const ENDINGS = [200, 201, 404, 500, 401, 429, 504, 'unreachable', 'broken'] as const
type Ending = (typeof ENDINGS)[number]

/** `send` begins a request; `end` ends the oldest that still runs, or the youngest. */
type Step =
  | { readonly kind: 'send', readonly key: string, readonly body: string, readonly ending: Ending }
  | { readonly kind: 'end', readonly which: 'oldest' | 'youngest' }

const steps: fc.Arbitrary<Step[]> = fc.array(fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('send' as const), key: fc.constantFrom('a', 'b', 'c'), body: fc.constantFrom('{"n":1}', '{ "n": 1 }', '{"n":2}'), ending: fc.constantFrom(...ENDINGS) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('end' as const), which: fc.constantFrom('oldest' as const, 'youngest' as const) }) },
), { minLength: 1, maxLength: 30 })

/** Everything here is promises, so one turn of the loop later all of them have come to rest. */
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

function outcomeOf(ending: Ending): AttemptOutcome {
  if (ending === 'unreachable') return { kind: 'not_sent', cause: 'connect-refused' }
  if (ending === 'broken') return { kind: 'lost', cause: 'connection-lost', reply: null }
  const reply = { kind: 'whole' as const, reply: { status: ending, headers: [], body: new Uint8Array(), trailers: [] } }
  if (ending === 429) return { kind: 'refused', reply }
  return ending === 504 ? { kind: 'lost', cause: 'ambiguous-status', reply } : { kind: 'answered', reply }
}

function passedOn(ending: Ending): PassedOn {
  if (ending === 'unreachable') return { kind: 'problem', problem: problem('upstream-unreachable', '') }
  if (ending === 'broken') return { kind: 'problem', problem: problem('upstream-failed', '') }
  return { kind: 'fresh', reply: { kind: 'whole', reply: { status: ending, headers: [], body: new Uint8Array(), trailers: [] } }, ttlMs: null, gaveUp: null }
}

/** Flow one over a store in memory; `end` lets the attempt of a request end. */
async function enforcement(yaml: string) {
  const clock = new FakeClock()
  const counts: Record<string, number> = {}
  const begun: ((outcome: AttemptOutcome) => void)[] = []
  const flow = await flowOver(new MemoryKeyStore(clock), { yaml, clock, wakeups: null, attempt: () => ({ outcome: new Promise((resolve) => { begun.push(resolve) }), abort: () => undefined }) })
  flow.meter.key = (...[outcome]: readonly string[]) => { counts[outcome ?? ''] = (counts[outcome ?? ''] ?? 0) + 1 }
  return {
    counts, route: flow.routes[0],
    async send(key: string, body: string, ending: Ending): Promise<() => void> {
      const attempts = begun.length
      void flow.send(key, { body })
      await turn()
      const attempt = begun[attempts] // none for one that was not sent
      return () => attempt?.(outcomeOf(ending))
    },
  }
}

function lookingOn(enforced: Route | undefined) {
  if (enforced?.action.kind !== 'guard') throw new Error('no policy to look at')
  const policy = enforced.action.policy
  const route: Route = { ...enforced, action: { kind: 'shadow', policy } }
  const clock = new FakeClock()
  const counts: Record<string, number> = {}
  const journal = new NotedJournal()
  let tokens = 0
  const shadow = new Shadow({
    queue: new ShadowQueue(new MemoryShadowStore(clock), clock, journal), journal, clock,
    tokens: { verify: () => { throw new Error('no tokens here') }, close: () => Promise.resolve() },
    meter: { shadowed: (outcome) => { counts[outcome] = (counts[outcome] ?? 0) + 1 } },
    random: { uniform: () => 0.5, token: () => `holder-${tokens += 1}` },
    namespace: { secret: 'secret', service: 'default' }, limits: { requestBodyBytes: 1000 },
    copy: () => {
      const chunks: Buffer[] = []
      return { add: (chunk) => (chunks.push(chunk), 'added'), whole: () => Buffer.concat(chunks), forget: () => undefined }
    },
  })
  return {
    counts,
    async send(key: string, body: string, ending: Ending): Promise<() => void> {
      let content: ContentWatch | null = null
      const call: PassingCall = {
        method: 'POST', target: '/v1/charges', fields: ['Content-Type', 'application/json', 'Authorization', 'Bearer one', 'Idempotency-Key', key],
        hop: { peer: '127.0.0.1', trusted: false, secure: false, httpVersion: '1.1', pseudonym: 'test', host: null, forwarded: false }, trace: null,
        body: () => { throw new Error('a shadowed request is not held') }, content: () => null,
        forgetBody: () => undefined, inform: () => undefined, gone: () => false, whenGone: () => () => undefined,
        watchContent: (watch) => { content = watch },
      }
      const watched: Watched = shadow.watch(call, route, policy)
      flow(content, body)
      await turn()
      const answer = passedOn(ending)
      return () => watched.ended(answer, answer.kind === 'problem' ? answer.problem.status : typeof ending === 'number' ? ending : 0)
    },
  }
}

function told(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts).map(([outcome, count]) => `${outcome} ${count}`).toSorted((a, b) => a.localeCompare(b)).join()
}

/** In two pieces, as a network might bring it. */
function flow(content: ContentWatch | null, body: string): void {
  content?.chunk(Buffer.from(body.slice(0, 3)))
  content?.chunk(Buffer.from(body.slice(3)))
  content?.complete()
}

const YAML = (more: string): string => `defaults: { retry: { attempts: 1 } }\nroutes: [{ name: charge, match: { method: POST, path: /v1/charges }, idempotency: { ${more} } }]`

for (const more of ['fingerprint: { mode: raw }', 'fingerprint: { mode: json }']) {
  test(`whatever comes, shadow mode counts what enforcement does (${more})`, async (t) => {
    await fc.assert(fc.asyncProperty(steps, async (script) => {
      const enforcing = await enforcement(YAML(more))
      const looking = lookingOn(enforcing.route)
      const running: (() => void)[] = []
      const ended = async (end: (() => void) | undefined): Promise<void> => {
        end?.()
        await turn()
      }
      const compare = (): void => {
        if (told(looking.counts) !== told(enforcing.counts)) throw new Error(`enforced ${JSON.stringify(enforcing.counts)}, shadowed ${JSON.stringify(looking.counts)}`)
      }
      for (const step of script) {
        if (step.kind === 'end') await ended(step.which === 'oldest' ? running.shift() : running.pop())
        else {
          const ends = [await enforcing.send(step.key, step.body, step.ending), await looking.send(step.key, step.body, step.ending)]
          running.push(() => { for (const end of ends) end() })
        }
        compare()
      }
      for (const end of running) await ended(end)
      compare()
    }), { numRuns: 100 })
    t.pass('100 scripts')
  })
}

import type { KeyStore } from '../../src/core/ports.ts'
import { StoreUnavailable } from '../../src/core/ports.ts'
import type { Completion } from '../../src/core/record.ts'
import { beginning, begun, claimed, event, HeldClock, OWNER, readable, request, RETENTION_MS, work } from '../contract/situation.ts'
import { open } from './folder.ts'

export const SECRET = 'the secret of this installation'

/** What each key was acknowledged to be. */
type Truth = 'busy' | 'uncertain' | 'accepted' | Completion['reply']
export type Acknowledged = ReadonlyMap<string, Truth>

/** Large enough that every tree has inner pages, bodies overflow, and swept ones leave a free list behind. */
export async function inhabit(dataDir: string): Promise<{ readonly store: KeyStore, readonly acknowledged: Acknowledged }> {
  const clock = new HeldClock()
  const store = await open(dataDir, undefined, clock)
  const acknowledged = new Map<string, Truth>()
  await store.secret(SECRET)
  const settle = async (name: string, bodyBytes: number, retentionMs = RETENTION_MS): Promise<void> => {
    const reply = replyOf(name, bodyBytes)
    const claim = await claimed(store, request(name, '1', { retentionMs }))
    await store.complete(claim, { reply, attempts: 1, events: [event(`event-of-${name}`.padEnd(40, '_'))] })
    acknowledged.set(name, reply)
  }
  const swept = names('swept', 40)
  await Promise.all(swept.map((name) => settle(name, 12_000, 1)))
  await Promise.all(names('completed', 440).map((name, n) => settle(name, n % 40 === 0 ? 15_000 : 30)))
  await Promise.all(names('flying', 150).map(async (name) => {
    await claimed(store, request(name, '1'))
    acknowledged.set(name, 'busy')
  }))
  await Promise.all(names('doubtful', 150).map(async (name) => {
    await store.abandon(await claimed(store, request(name, '1')), 'connection-lost', 1)
    acknowledged.set(name, 'uncertain')
  }))
  await Promise.all(names('waiting', 60).map(async (name) => {
    const wish = request(name, '1', { outbox: 'x'.repeat(300) })
    await store.accept(wish, work(wish))
    acknowledged.set(name, 'accepted')
  }))
  await Promise.all(names('executed', 60).map(async (name, n) => {
    const wish = request(name, '1')
    await store.accept(wish, work(wish))
    const claim = await begun(store, wish, '2')
    const reply = replyOf(name, 30)
    if (n % 3 === 0) await store.complete(claim, { reply, attempts: 1, events: [] })
    if (n % 3 === 1) await store.abandon(claim, 'connection-lost', 1)
    acknowledged.set(name, n % 3 === 0 ? reply : 'accepted')
  }))
  clock.advance(1)
  await store.sweep(100)
  for (const name of swept) acknowledged.delete(name)
  return { store, acknowledged }
}

export interface Verdict {
  readonly guesses: readonly string[]
  readonly unavailable: number
  readonly answered: number
}

/**
 * Asks for every key again, works on, and asks once more. Nothing but the acknowledged answer or StoreUnavailable is
 * right: "claimed" would run a key twice, "fenced" would forget an answer, other bytes would be somebody else's.
 */
export async function interrogate(store: KeyStore, before: Acknowledged): Promise<Verdict> {
  const acknowledged = new Map(before)
  const guesses: string[] = []
  let [unavailable, answered] = [0, 0]
  const judge = (what: string, right: boolean | undefined): void => {
    if (right === undefined) unavailable += 1
    else if (right) answered += 1
    else guesses.push(what)
  }
  const askAll = (): Promise<unknown> => Promise.all([...acknowledged].map(async ([name, truth]) => {
    judge(name, await ask(store, name, truth))
  }))
  await askAll()
  judge('the secret', await orUnavailable(async () => await store.secret('another secret') === SECRET))
  judge('sweep', await orUnavailable(async () => (await store.sweep(1000)).deleted === 0))
  judge('reap', await orUnavailable(async () => (await store.reap(1000)).orphaned === 0))
  // Both write over whatever is damaged; what is acknowledged now counts like the rest.
  await Promise.all(names('flying', 40).map(async (name) => {
    const { id, holder } = request(name, '1')
    const reply = replyOf(name, 500)
    const outcome = await orUnavailable(() => store.complete({ id, holder, fence: 1 }, { reply, attempts: 1, events: [] }))
    if (outcome === 'written') acknowledged.set(name, reply)
    judge(`completing ${name}`, outcome === undefined ? undefined : outcome === 'written')
  }))
  await Promise.all(names('waiting', 40).map(async (name) => {
    const outcome = await orUnavailable(() => store.begin(beginning(request(name, '1'), '2')))
    judge(`beginning ${name}`, outcome === undefined ? undefined : outcome.kind === 'claimed' && outcome.claim.fence === 2 && outcome.outbox?.length === 300)
  }))
  await Promise.all(names('accepted', 20).map(async (name) => {
    const wish = request(name, '1')
    const outcome = await orUnavailable(() => store.accept(wish, work(wish, OWNER, { quota: 1000 })))
    if (outcome?.kind === 'accepted') acknowledged.set(name, 'accepted')
    judge(`accepting ${name}`, outcome === undefined ? undefined : outcome.kind === 'accepted' && outcome.fresh)
  }))
  await Promise.all(names('new', 60).map(async (name) => {
    const outcome = await orUnavailable(() => store.claim(request(name, '1')))
    if (outcome?.kind === 'claimed') acknowledged.set(name, 'busy')
    judge(`claiming ${name}`, outcome === undefined ? undefined : outcome.kind === 'claimed')
  }))
  await askAll()
  return { guesses, unavailable, answered }
}

async function ask(store: KeyStore, name: string, truth: Truth): Promise<boolean | undefined> {
  return orUnavailable(async () => {
    const again = request(name, 'asks again')
    const outcome = name.startsWith('waiting-1') ? await store.accept(again, work(again, OWNER, { quota: 0 })) : await store.claim(again)
    if (outcome.kind === 'replay') return typeof truth !== 'string' && JSON.stringify(readable(outcome.reply)) === JSON.stringify(readable(truth))
    return outcome.kind === truth && !('fresh' in outcome && outcome.fresh)
  })
}

async function orUnavailable<Result>(call: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof StoreUnavailable) return undefined
    throw error
  }
}

function names(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${kind}-${n}`)
}

function replyOf(name: string, bodyBytes: number): Completion['reply'] {
  const body = Buffer.alloc(bodyBytes, `reply of ${name}, `)
  return { kind: 'kept', reply: { status: 200, headers: ['Content-Type', 'text/plain', 'X-Key', name], body, trailers: [] } }
}

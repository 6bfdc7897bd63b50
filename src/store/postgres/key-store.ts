import type { Stores } from '../../core/outbox-ports.ts'
import type { Clock, Journal, KeyStore, Random, StoreMeter, StoreStatement, Wakeups } from '../../core/ports.ts'
import type { AcceptedWork, AcceptOutcome, Act, AuditEntry, BeginRequest, Begun, Census, Claim, ClaimOutcome, ClaimRequest, Completion, Doubt, DoubtCause, Eviction, Forgetting, KeyId, KeyRecord, Reaped, Resolution, Rest, Swept, WriteOutcome } from '../../core/record.ts'
import { NOBODY_WAITS } from '../flagged.ts'
import { GroupCommit, type GroupCommitOptions, type Sent } from '../group-commit.ts'
import { sendAccepts, type Accepting } from './accepts.ts'
import { sendBegins } from './begins.ts'
import { sendClaims } from './claims.ts'
import { Connections } from './connections.ts'
import { checkEngine, checkPrivileges, type Durability } from './engine.ts'
import type { Link } from './link.ts'
import { migrate, requireSchema } from './migrate.ts'
import { PostgresOutboxStore } from './outbox-store.ts'
import { Records } from './records.ts'
import { sendAbandonments, sendCompletions, sendReleases, sendRenewals, type Abandoned, type Completed, type Held, type Renewed } from './settles.ts'
import { PostgresShadowStore } from './shadow-store.ts'
import { readStatements } from './statements.ts'

export interface PostgresStoreOptions {
  /** of one server or, separated by commas, of several of which the one that takes writes is used; a secret */
  readonly url: string
  readonly clock: Clock
  readonly random: Random
  readonly journal: Pick<Journal, 'info' | 'warn'>
  /** told, after the commit, of the settles that somebody waits for */
  readonly wakeups?: Pick<Wakeups, 'publish'>
  readonly schema: string
  readonly connections: number
  /** named statements; false behind a pooler in transaction mode */
  readonly prepare: boolean
  /** longest time for one call, in ms; past it nobody knows whether it was done */
  readonly deadlineMs: number
  /** parts of the key table, where it is made here; 1 for a plain table */
  readonly partitions: number
  readonly migrate: 'at_start' | 'by_hand'
  readonly durability: Durability
  /** in place of the database's clock, in ms since the epoch: for tests */
  readonly now?: () => number
  readonly meter?: StoreMeter
}

/** Rows of one statement. More would make the callers behind a full batch wait, and cost the server no less a row: 37 us for both writes. */
const MAX_OPERATIONS = 64
/**
 * One batch of claims and one of completions at a time need two connections, and leave two for what is rare and may be slow.
 * Two at a time halved the batches: 8.1 us of our CPU a key for 6.3, and 20,800 keys/s for 23,900, on a database close by.
 */
const CONNECTIONS_PER_LANE = 4
/** As in the embedded store: four replies of the largest kept size fill a batch. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024

/**
 * The store of production: Postgres decides, and its clock counts. Rejects with a plain Error, whose message says what to
 * do, when there is no server that can be trusted with keys.
 */
export async function openPostgresStores(options: PostgresStoreOptions): Promise<Stores> {
  const { url, schema, partitions, clock, random, journal, wakeups = NOBODY_WAITS, now, meter } = options
  await checkEngine(url, { clock, journal, durability: options.durability })
  if (options.migrate === 'at_start') await migrate({ url, schema, partitions, clock, random, journal })
  else await requireSchema(url, schema, clock)
  await checkPrivileges(url, schema, clock)
  const connections = await Connections.open(options)
  const link: Link = {
    connections, sql: readStatements(schema), now: now ?? (() => null),
    wake: (ids) => { if (ids.length > 0) wakeups.publish(ids) },
  }
  const outbox = new PostgresOutboxStore(link)
  const shadow = new PostgresShadowStore(link)
  meter?.statements(STATEMENTS)
  const timerOf = (statement: StoreStatement): Timer => (meter === undefined ? {} : { timer: { clock, took: (ms) => meter.storeTook(statement, ms) } })
  return { keys: new PostgresKeyStore(link, Math.max(1, Math.floor(options.connections / CONNECTIONS_PER_LANE)), outbox, timerOf), outbox, shadow }
}

/** The keys alone. */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<KeyStore> {
  return (await openPostgresStores(options)).keys
}

const STATEMENTS: readonly StoreStatement[] = ['claim', 'accept', 'begin', 'complete', 'release', 'abandon', 'renew']

type Timer = Pick<GroupCommitOptions<never, never>, 'timer'>

class PostgresKeyStore implements KeyStore {
  readonly #link: Link
  readonly #records: Records
  readonly #claims: GroupCommit<ClaimRequest, ClaimOutcome>
  readonly #accepts: GroupCommit<Accepting, AcceptOutcome>
  readonly #begins: GroupCommit<BeginRequest, Begun>
  readonly #completions: GroupCommit<Completed, WriteOutcome>
  readonly #releases: GroupCommit<Held, WriteOutcome>
  readonly #abandonments: GroupCommit<Abandoned, WriteOutcome>
  readonly #renewals: GroupCommit<Renewed, WriteOutcome>
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #outbox: { close(): Promise<void> }
  #closing: Promise<void> | undefined

  /**
   * `lanes`: batches of claims that may be out at once, and as many of completions; the other verbs are rare. `outbox` uses the same
   * connections, so they are not closed before its calls have ended.
   */
  constructor(link: Link, lanes: number, outbox: { close(): Promise<void> }, timerOf: (statement: StoreStatement) => Timer) {
    this.#link = link
    this.#outbox = outbox
    this.#records = new Records(link)
    this.#claims = batches(lanes, (batch) => sendClaims(batch, link), timerOf('claim'))
    this.#accepts = batches(1, (batch) => sendAccepts(batch, link), timerOf('accept'))
    this.#begins = batches(1, (batch) => sendBegins(batch, link), timerOf('begin'))
    this.#completions = batches(lanes, (batch) => sendCompletions(batch, link), timerOf('complete'))
    this.#releases = batches(1, (batch) => sendReleases(batch, link), timerOf('release'))
    this.#abandonments = batches(1, (batch) => sendAbandonments(batch, link), timerOf('abandon'))
    this.#renewals = batches(1, (batch) => sendRenewals(batch, link), timerOf('renew'))
  }

  claim(request: ClaimRequest, givenUp?: () => boolean): Promise<ClaimOutcome> {
    return this.#claims.submit(request, request.outbox?.length ?? 0, givenUp)
  }

  accept(request: ClaimRequest, work: AcceptedWork): Promise<AcceptOutcome> {
    return this.#accepts.submit({ id: request.id, request, work }, work.event.payload.length + (request.outbox?.length ?? 0))
  }

  begin(request: BeginRequest): Promise<Begun> {
    return this.#begins.submit(request, 0)
  }

  renew(claims: readonly { readonly claim: Claim, readonly leaseMs: number }[]): Promise<readonly WriteOutcome[]> {
    return Promise.all(claims.map(({ claim: { id, holder, fence }, leaseMs }) => this.#renewals.submit({ id, holder, fence, leaseMs }, 0)))
  }

  complete({ id, holder, fence }: Claim, { reply, attempts, events }: Completion): Promise<WriteOutcome> {
    const bytes = events.reduce((sum, event) => sum + event.payload.length, reply.kind === 'kept' ? reply.reply.body.length : 0)
    return this.#completions.submit({ id, holder, fence, reply, attempts, events }, bytes)
  }

  release(claim: Claim): Promise<WriteOutcome> {
    return this.#releases.submit(claim, 0)
  }

  abandon({ id, holder, fence }: Claim, cause: DoubtCause, attempts: number): Promise<WriteOutcome> {
    return this.#abandonments.submit({ id, holder, fence, cause, attempts }, 0)
  }

  resolve(id: KeyId, fence: number, resolution: Resolution, act: Act | null): Promise<WriteOutcome> {
    return this.#during(() => this.#records.resolve(id, fence, resolution, act))
  }

  evict(id: KeyId, act: Act): Promise<Eviction> {
    return this.#during(() => this.#records.evict(id, act))
  }

  forget(id: KeyId, act: Act): Promise<Forgetting> {
    return this.#during(() => this.#records.forget(id, act))
  }

  audit(limit: number): Promise<readonly AuditEntry[]> {
    return this.#during(() => this.#records.audit(limit))
  }

  flag(id: KeyId): Promise<'flagged' | 'settled'> {
    return this.#during(() => this.#records.flag(id))
  }

  find(by: Parameters<KeyStore['find']>[0], limit: number): Promise<readonly KeyRecord[]> {
    return this.#during(() => this.#records.find(by, limit))
  }

  doubts(limit: number, rest: Rest): Promise<readonly Doubt[]> {
    return this.#during(() => this.#records.doubts(limit, rest))
  }

  reap(limit: number): Promise<Reaped> {
    return this.#during(() => this.#records.reap(limit))
  }

  sweep(limit: number): Promise<Swept> {
    return this.#during(() => this.#records.sweep(limit))
  }

  census(): Promise<Census> {
    return this.#during(() => this.#records.census())
  }

  secret(candidate: string): Promise<string> {
    return this.#during(() => this.#records.secret(candidate))
  }

  keySpace(seen: string | null, next: string): Promise<string> {
    return this.#during(() => this.#records.keySpace(seen, next))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([this.#claims, this.#accepts, this.#begins, this.#completions, this.#releases, this.#abandonments, this.#renewals].map((calls) => calls.close()))
    await Promise.allSettled(this.#underWay)
    await this.#outbox.close()
    await this.#link.connections.close()
  }

  /** A call that `close` waits for. */
  #during<T>(call: () => Promise<T>): Promise<T> {
    const answer = call()
    this.#underWay.add(answer)
    const over = (): boolean => this.#underWay.delete(answer)
    answer.then(over, over)
    return answer
  }
}

function batches<Operation extends { readonly id: KeyId }, Outcome>(lanes: number, send: (batch: readonly Operation[]) => Promise<readonly Sent<Outcome>[]>, timer: Timer): GroupCommit<Operation, Outcome> {
  return new GroupCommit({ ...timer, send, connections: lanes, maxOperations: MAX_OPERATIONS, maxBytes: MAX_BATCH_BYTES, keyOf: ({ id }) => id })
}

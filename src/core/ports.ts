import type { Duplex, Readable } from 'node:stream'
import type { Fields } from './headers.ts'
import type { DifferingPart } from './mismatch.ts'
import type { AcceptedWork, AcceptOutcome, Act, AuditEntry, BeginRequest, Begun, Census, Claim, ClaimOutcome, ClaimRequest, Completion, Doubt, DoubtCause, Eviction, Forgetting, KeyId, KeyRecord, Parts, Reaped, Resolution, Rest, Swept, WriteOutcome } from './record.ts'
import type { StoredReply } from './reply.ts'
import type { AbortedBy, AttemptOutcome, StatusPolicy } from './attempt.ts'
import type { GaveUp } from './retry.ts'
import type { Claims, TokenRules } from './token.ts'

/** Two clocks: `wallMs` (since the epoch, for records) and `monotonicMs` (never steps, for leases and deadlines). */
export interface Clock {
  wallMs(): number
  monotonicMs(): number
  /** Runs `task` once after `delayMs`; the returned function cancels it. Keeps the process alive until then. */
  after(delayMs: number, task: () => void): () => void
}

/** How late this process's turns come, because the turns before them take too long. */
export interface LoopDelay {
  /** mean over the last second or so without its worst turn, in ms; 0 on a loop that is on time */
  recentMs(): number
}

export interface Random {
  /** uniform in [0, 1) */
  uniform(): number
  /** base64url of `bytes` random bytes */
  token(bytes: number): string
}

/**
 * The only thing a store ever throws. `written: 'no'`: the write is known not to have happened. `written: 'unknown'`:
 * it may have; ask again as the same holder. `detail` is for the log and names no key, secret or body.
 */
export class StoreUnavailable extends Error {
  readonly written: 'no' | 'unknown'
  constructor(written: 'no' | 'unknown', detail: string, cause?: unknown) {
    super(detail, cause === undefined ? undefined : { cause })
    this.name = 'StoreUnavailable'
    this.written = written
  }
}

/**
 * The authority over keys: see the machine drawn in record.ts. A promise settles only after what it reports is
 * durable. Every method throws `StoreUnavailable` and nothing else. Times count by the store's own clock.
 */
export interface KeyStore {
  /**
   * The installation's secret of 32 bytes (base64url): the stored one, or `candidate` if there was none (first writer wins).
   */
  secret(candidate: string): Promise<string>
  /**
   * What the ids of the keys in here are made of (the text of core/key-space.ts), as the last one who used them wrote it
   * down. Writes `next` if what stands there is `seen`, null meaning that nothing does yet; of several who saw the same
   * the first one writes. Returns what stands there now: `next`, or what somebody else wrote.
   */
  keySpace(seen: string | null, next: string): Promise<string>
  /**
   * May this request run? Repeated by the same holder it answers as the first time. A request that was given up
   * (`givenUp()` is true) before its claim left for the store is dropped: the promise rejects with written 'no'.
   */
  claim(request: ClaimRequest, givenUp?: () => boolean): Promise<ClaimOutcome>
  /**
   * Stores a request that is executed later: its record and its event, or neither. Repeated (the same operationRef) it answers as the first
   * time. What stands under the key is judged as by a claim that takes nothing. The quota is looked at in the same transaction, and may be
   * exceeded by as many as are accepted at once. `request.leaseMs` and `onOrphan` are not looked at: nothing is sent yet.
   */
  accept(request: ClaimRequest, work: AcceptedWork): Promise<AcceptOutcome>
  /** May this operation, which was accepted, be executed? Repeated by the same holder it is granted again. */
  begin(request: BeginRequest): Promise<Begun>
  /** Extends the lease of claims in flight, counted from now; one outcome per claim, in order. */
  renew(claims: readonly { readonly claim: Claim, readonly leaseMs: number }[]): Promise<readonly WriteOutcome[]>
  complete(claim: Claim, completion: Completion): Promise<WriteOutcome>
  release(claim: Claim): Promise<WriteOutcome>
  abandon(claim: Claim, cause: DoubtCause, attempts: number): Promise<WriteOutcome>
  /** Ends a doubt from outside, if the record is still uncertain under this fence. `act` is null for the flow's own (a probe). */
  resolve(id: KeyId, fence: number, resolution: Resolution, act: Act | null): Promise<WriteOutcome>
  /** Drops the body of a completed reply and leaves `completed, body not kept`. */
  evict(id: KeyId, act: Act): Promise<Eviction>
  /** Frees a key: the next request with it runs. What was accepted under it and waits is not executed any more. */
  forget(id: KeyId, act: Act): Promise<Forgetting>
  /** The newest `limit` acts of operators, newest first. */
  audit(limit: number): Promise<readonly AuditEntry[]>
  /** Somebody waits for this record to leave `in_flight`: the store tells `Wakeups` once it did. `settled`: it is not in flight. */
  flag(id: KeyId): Promise<'flagged' | 'settled'>
  find(by: { readonly id: KeyId } | { readonly keyDigest: string } | { readonly operationRef: string } | { readonly state: 'uncertain' | 'in_flight' | 'accepted' }, limit: number): Promise<readonly KeyRecord[]>
  /** At most `limit` doubts that have a probe, to ask about: each to one asker, and again after its rest. Of several processes, too. */
  doubts(limit: number, rest: Rest): Promise<readonly Doubt[]>
  /** Turns at most `limit` in-flight records whose lease ended into doubts. */
  reap(limit: number): Promise<Reaped>
  /** Deletes at most `limit` completed records whose retention ended; never a record of another state. */
  sweep(limit: number): Promise<Swept>
  /** `completed` may be an estimate where counting would mean reading millions of rows; the other two are exact. */
  census(): Promise<Census>
  /** Settles what was accepted, then lets go of the files or connections. May be called twice. */
  close(): Promise<void>
}

/**
 * Tells the waiters of all processes that a flagged record may have left `in_flight`. It may lose a word (a poll stands
 * behind it) and never says what became of the record: who is woken asks the store.
 */
export interface Wakeups {
  /** `wake` is called for every word about this id until the returned function is called */
  wait(id: KeyId, wake: () => void): () => void
  /** after the commit of a settle of flagged records; never throws and is never waited for */
  publish(ids: readonly KeyId[]): void
  /** Lets go of the connection. May be called twice. */
  close(): Promise<void>
}

/** A completed reply that this process still remembers: a copy of what the authority confirmed. */
export interface Remembered {
  readonly fingerprint: string
  readonly spec: string
  readonly parts: Parts
  readonly operationRef: string
  readonly retainUntil: number
  readonly fence: number
  readonly reply: StoredReply
}

/** Completed replies close at hand. Never an authority: what it does not know may well be known. */
export interface ReplyCache {
  recall(id: KeyId): Remembered | undefined
}

/**
 * Completed replies at some distance, shared by all processes. Never an authority, and never trouble: whatever goes
 * wrong there is a miss. Nothing here rejects, and nothing waits for long.
 */
export interface RemoteReplies {
  /** whether asking makes sense just now */
  readonly answers: boolean
  /** undefined: not there, not readable, buried, or not answered in time */
  get(id: KeyId): Promise<Remembered | undefined>
  /** Remembers a reply that the authority has confirmed, unless something stands there already. Not waited for, and may be lost. */
  put(id: KeyId, what: Remembered): void
  /** Nothing is given out or taken in for this id for longer than any `put` may be late. `unknown`: it may be as before. */
  bury(id: KeyId): Promise<'buried' | 'unknown'>
  /** `forget` is called with every id that some process buries, as far as word of it arrives */
  onBuried(forget: (id: KeyId) => void): void
  /** Lets go of the connections. May be called twice. */
  close(): Promise<void>
}

/** Which tier a replayed reply came from. */
export type ReplyTier = 'memory' | 'redis' | 'authority'
/** Why Redis had no reply to give: nothing there, a tombstone, another program's or version's, damaged, under a key that we lack, at the end of its retention, of another request, or no answer. */
export type CacheMiss = 'absent' | 'buried' | 'foreign' | 'corrupt' | 'sealed' | 'ended' | 'differs' | 'unavailable'
/** What became of a reply that was to be remembered in Redis. */
export type CacheFill = 'stored' | 'present' | 'dropped' | 'failed'

export type TokenVerdict =
  | { readonly kind: 'verified', readonly claims: Claims }
  /** `detail` is for the client and repeats nothing of the token */
  | { readonly kind: 'invalid', readonly detail: string }
  /** the keys that sign such tokens are not at hand, so nobody knows */
  | { readonly kind: 'unavailable', readonly retryAfterMs: number }

/** Holds a bearer token against its issuer's published keys. Never throws for what a client or an issuer sent. */
export interface TokenVerifier {
  verify(token: string, rules: TokenRules): Promise<TokenVerdict>
  /** Lets go of the connections. May be called twice. */
  close(): Promise<void>
}

/** One request to the upstream. */
export interface UpstreamRequest {
  readonly method: string
  /** path and query, byte for byte as the client sent them */
  readonly target: string
  /** end-to-end fields in the client's order; the adapter may keep the list */
  readonly fields: string[]
  /** captured, or as it comes from the client: then it can be sent once, and nothing of it is held */
  readonly body: Uint8Array | Readable
  /** told of every interim reply that is meant for the client, such as 103 Early Hints */
  readonly inform: (status: number, fields: Fields) => void
}

/** What an attempt may cost and what of its reply may be kept. */
export interface AttemptLimits {
  /** longest wait for a socket, in ms; past it the attempt was not sent */
  readonly socketWaitMs: number
  /** largest reply body that is kept, in bytes; null keeps none: every reply streams from its header section on */
  readonly keptReplyBytes: number | null
  /** a body that ends with its connection: complete by declaration of the route, or never kept */
  readonly closeDelimited: 'keep' | 'stream'
  readonly status: StatusPolicy
  /** an earlier attempt of this key may have run */
  readonly afterDoubt: boolean
}

/**
 * Sends one request once. Never retries, never throws: every end is a value, and `abort` ends it with
 * `aborted`, which says whether a byte had been handed to the socket.
 */
export interface Upstream {
  attempt(request: UpstreamRequest, limits: AttemptLimits): Attempt
  /** Asks for another protocol on the connection. Who is answered `switched` owns the socket. */
  handshake(request: UpstreamRequest, protocol: string, limits: AttemptLimits): Handshake
  /** the connections of now */
  use(): UpstreamUse
  close(): Promise<void>
}

export interface UpstreamUse {
  /** connections with a request on them */
  readonly busy: number
  readonly idle: number
  /** requests that wait for a connection */
  readonly waiting: number
}

export interface Handshake {
  readonly outcome: Promise<AttemptOutcome | Switched>
  abort(by: AbortedBy): void
}

/** 101: from here on the socket carries bytes that are not HTTP. It has a listener for errors, which destroy it. */
export interface Switched {
  readonly kind: 'switched'
  readonly fields: Fields
  readonly socket: Duplex
}

export interface Attempt {
  readonly outcome: Promise<AttemptOutcome>
  abort(by: AbortedBy): void
}

export type KeyOutcome = 'new' | 'replay' | 'in_flight' | 'mismatch' | 'uncertain' | 'missing' | 'invalid' | 'unavailable'

/** The limits of one process that a request can run into, by their names under `limits` in the configuration. */
export type LimitName =
  | 'request_body' | 'held_bodies' | 'header_bytes' | 'header_count' | 'target_bytes'
  | 'header_time' | 'body_time' | 'idle_time' | 'connections' | 'event_loop_delay'

/** Counts; called in the flows only, once per exit. */
export interface Meter {
  /** a guarded request ended this way; `traceId` where somebody records its trace */
  key(outcome: KeyOutcome, route: string, traceId: string | null): void
  /** a key was used again for another request, by this client (client-name.ts) */
  mismatch(client: string, part: DifferingPart, route: string): void
  /** so long took this */
  took(what: Timed, ms: number, route: string, traceId: string | null): void
  /** what the client got; `timedOut` for a 504 */
  answered(status: number, method: string, route: string): void
  /** an unsafe request with a key on a route that looks at no keys */
  unguarded(route: string): void
  /** the store was gone, and a request of this route was sent without protection */
  failedOpen(route: string): void
  /** a request or a connection ran into this limit */
  limited(limit: LimitName): void
  /** a retry was sent upstream, the first one being 1, after this delay */
  retried(retry: number, delayMs: number, route: string): void
  /** the upstream was asked about a key in doubt, and this came of it */
  probed(end: 'found' | 'absent' | 'unclear', route: string): void
  /** an attempt failed, and this is why there was no other */
  gaveUp(why: GaveUp): void
  census(census: Census): void
  /** a reply was replayed from here */
  cacheHit(tier: ReplyTier): void
  cacheMiss(why: CacheMiss): void
  cacheFill(end: CacheFill): void
  /** these routes are in force: their series begin at 0, and those of routes that went stay as they are */
  routes(names: readonly string[]): void
  /** a reload ended; after a refused one the old routes are still in force */
  reloaded(result: ReloadResult): void
}

/**
 * What is timed on each route: a request, from its head on until its answer is at hand; its claim, until the store's answer; and one
 * attempt, until the upstream's.
 */
export type Timed = 'request' | 'claim' | 'upstream'

/** What a key store does in one go, as it is timed: one of its statements, or a transaction of the embedded store. */
export type StoreStatement = 'claim' | 'accept' | 'begin' | 'complete' | 'release' | 'abandon' | 'renew' | 'transaction'

/** Told how long each took, whatever came of it. */
export interface StoreMeter {
  /** these are what the store has: their series begin at 0 */
  statements(names: readonly StoreStatement[]): void
  storeTook(statement: StoreStatement, ms: number): void
}

export type ReloadResult = 'reloaded' | 'refused'

/** The one line per guarded request; see telemetry/logger.ts for what never gets into it. */
export interface SettledLine {
  readonly route: string
  readonly method: string
  readonly outcome: KeyOutcome
  readonly status: number
  /** first 8 characters of the id, enough to find the record and too few to be the key */
  readonly id: string
  readonly operationRef: string | null
  readonly attempts: number
  /** why the key is in doubt, why nothing was sent, or which parts differed */
  readonly cause: string | null
  /** who sent it, by its User-Agent (client-name.ts); of a mismatch only */
  readonly client: string | null
  /** the client had been answered at its deadline; `status` is what it would have got */
  readonly late: boolean
  /** of its trace, if it has one; `spanId` where it is recorded */
  readonly traceId: string | null
  readonly spanId: string | null
  readonly durationMs: number
}

export interface Journal {
  settled(line: SettledLine): void
  error(event: string, detail: Readonly<Record<string, string | number>>): void
  warn(event: string, detail: Readonly<Record<string, string | number>>): void
  info(event: string, detail: Readonly<Record<string, string | number>>): void
  /** as `info`, of something that went as it should: one of many, of which a sample may do */
  routine(event: string, detail: Readonly<Record<string, string | number>>, traceId: string | null): void
}

/** A place where a crash test may stop the process; the product's own is empty. */
export type Checkpoint = (step: Step) => void | Promise<void>
export type Step = 'before-claim' | 'after-claim' | 'before-attempt' | 'after-attempt' | 'before-settle' | 'after-settle' | 'before-answer'

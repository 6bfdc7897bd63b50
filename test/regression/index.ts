/*
 * The sixty ways in which comparable systems went wrong, and what keeps each of them out of this one. The numbers are
 * those of our own collection; `about` says what went wrong elsewhere. index.test.ts checks that there is no gap, that
 * each file has its title, and that what a later issue owes is still owed by one that is open.
 */

interface NamedTest {
  readonly file: string
  readonly title: string
}

export type Trap = { readonly about: string } & (
  /** more than one where the trap is a bundle of them */
  | { readonly kind: 'tested', readonly tests: readonly NamedTest[] }
  /** no way leads there; `because` says what would have to change */
  | { readonly kind: 'unreachable', readonly because: string }
  /** the feature is not built: that issue writes the test and names it here */
  | { readonly kind: 'later', readonly issue: LaterIssue }
)

/** Issues that are open. Who closes one takes its line away, and fills in what then no longer compiles. */
export const LATER_ISSUES = {
  10: 'gRPC: the same promise on HTTP/2',
} as const
export type LaterIssue = keyof typeof LATER_ISSUES

const tested = (about: string, file: string, title: string, ...more: readonly (readonly [file: string, title: string])[]): Trap => ({
  about, kind: 'tested', tests: [[file, title] as const, ...more].map(([name, of]) => ({ file: `test/${name}`, title: of })),
})
const unreachable = (about: string, because: string): Trap => ({ about, kind: 'unreachable', because })
const later = (about: string, issue: LaterIssue): Trap => ({ about, kind: 'later', issue })

export const TRAPS: Readonly<Record<number, Trap>> = {
  // Lease and state machine
  1: tested('the lock ends in mid-request and a second one starts', 'regression/01-lease-ends-mid-request.test.ts', 'a lease that ends while the upstream works starts no second execution, and the late answer is kept'),
  2: tested('a take-over that is no compare-and-set', 'contract/doubts.ts', 'of many that race for an orphan exactly one takes it'),
  3: tested('a late owner overwrites the winner', 'e2e/invariants.test.ts', 'I3 ownership: a holder that was superseded changes nothing and learns it'),
  4: tested('a refused duplicate deletes the live lock', 'regression/04-refused-duplicate.test.ts', 'a duplicate that is refused leaves the claim of the first one alone, in its own process and in another'),
  5: tested('the lock is gone between the refused claim and the look at it', 'regression/05-key-vanishes-while-waiting.test.ts', 'a key that is gone between a refused claim and the look at its record runs nothing'),
  6: tested('look, then register, without another look', 'e2e/flow-one.test.ts', '1,000 concurrent POSTs with one key under ${policy}: one upstream call, ${expected}'),
  7: tested('a map of one process that is called distributed', 'regression/07-two-replicas.test.ts', 'replicas that know nothing of each other run a key once: the store decides, not the map of a process'),
  8: tested('all waiters run when the reply cannot be stored', 'regression/08-waiters-behind-an-unkept-reply.test.ts', 'waiters behind a reply that is too large to keep are told so, and none of them runs'),
  9: tested('the lock is released before the reply is recorded', 'regression/09-duplicate-during-the-settle.test.ts', 'a duplicate that comes while the answer is being written waits for it: the claim is held until then'),
  10: tested('a failed write after success deletes the record', 'e2e/outage.test.ts', 'a settle that outlasts the deadline is told as such, and its late success is replayed'),
  11: tested('completion without waiting for it', 'e2e/invariants.test.ts', 'I2 settle before answer: who hears an outcome finds it in the store'),
  12: tested('a hang-up cancels the write', 'e2e/flow-one.test.ts', 'a client that hangs up changes nothing: its retry gets the answer'),
  13: tested('no lock ever ends: 409 for ever', 'contract/doubts.ts', 'a claim on an orphan that is held finds a doubt'),
  14: tested('a deadline of zero, or none, read wrongly', 'regression/14-durations-of-nothing.test.ts', 'a time of zero is refused where it would mean "at once" or "for ever", and one that is left out has its default'),
  15: tested('the fingerprint is computed again after the request was changed', 'regression/15-fingerprint-of-what-came.test.ts', 'what is added and taken off on the way upstream is no part of the fingerprint'),
  16: tested('one lock for all keys', 'regression/16-one-key-holds-up-no-other.test.ts', 'while one key is in flight, all others run'),
  17: tested('the first instance\'s settings are everybody\'s', 'regression/17-settings-of-two-instances.test.ts', 'two sidecars and two routes in one process each keep their own settings'),
  18: tested('a retention that ends what still runs', 'contract/upkeep.ts', 'the sweep spares doubts and what is in flight, however old'),
  19: tested('clocks of replicas differ', 'regression/19-clocks-of-replicas.test.ts', 'replicas whose clocks are an hour apart, either way, agree on what is in flight, and on every answer'),
  20: tested('session locks behind a pooler', 'regression/20-behind-a-pooler.test.ts', 'behind a pooler that gives two connections to eight, each key runs once and waiters of another process get the answer'),

  // Outcome ambiguity
  21: tested('a timeout or a reset taken for a failure, and run again', 'e2e/invariants.test.ts', 'I1 one execution: a request whose answer was lost is never sent again'),
  22: tested('one switch for all 5xx', 'e2e/flow-one.test.ts', 'a route says what a status of its upstream means'),
  23: tested('a crash of the handler stored as an empty 200', 'regression/23-defect-in-the-flow.test.ts', 'a defect after the request was sent is told as such, and stored as nothing: never an empty 200'),
  24: tested('a validation error uses up the key', 'regression/24-validation-uses-up-no-key.test.ts', 'where a service validates before it works and the route says so, its 422 uses up no key'),
  25: tested('the proxy\'s own refusal stored as the answer', 'e2e/flow-one.test.ts', 'a body above the limit is 413 before any claim; one that fits still runs under the same key'),
  26: tested('1xx, HEAD, 304 and trailers; trailers of gRPC come with issue 10', 'regression/26-interim-and-switching-replies.test.ts', 'a 103 before the answer is not the answer'),
  27: tested('the upstream answered and the client had left', 'e2e/flow-one.test.ts', 'at the deadline the client is told that the work goes on, and later gets its answer'),
  28: tested('half a reply recorded as a whole one', 'regression/security/hostile-upstream.test.ts', 'a reply that was cut, late or garbled is never stored as an answer'),

  // Key, scope, fingerprint
  29: tested('a reply given to another tenant', 'regression/security/tenants.test.ts', 'one key of two tenants, two principals, two paths and two methods: nobody is given a reply of somebody else',
    ['e2e/async.test.ts', 'I6 no leak: a token that nobody verified is asked for again, whoever else it names'],
    ['e2e/async.test.ts', 'I6 no leak: what a cache between must not keep of the answer to a GET says so, whatever the upstream said of its answer to a POST']),
  30: tested('a replay skips the authorisation', 'regression/30-another-credential-is-judged.test.ts', 'a credential that the service would refuse is judged by the service and given no stored reply'),
  31: tested('a mismatch tells what the first request was', 'e2e/flow-one.test.ts', 'the same key with another request is refused, and the part that differed is named'),
  32: tested('a fingerprint that is always empty, or skipped on one of the ways', 'contract/claims.ts', 'another request under the same key is a mismatch, in flight, completed or in doubt'),
  33: tested('422 before 409 at one time and behind it at another', 'e2e/flow-one.test.ts', 'a mismatch is judged before busy'),
  34: tested('the same body under a new key refused as a duplicate', 'regression/34-same-body-new-key.test.ts', 'the same request under a new key, or without one, is another operation'),
  35: tested('JSON that is parsed and written again', 'regression/35-json-is-bytes.test.ts', 'the JSON of ${way} and of its reply travel byte for byte, even where it is none'),
  36: tested('two keys joined to one', 'regression/36-key-lines.test.ts', 'a key that stands twice, or under a name that only some servers take for it, is no key'),
  37: tested('paths and scopes that collide', 'core/key.test.ts', 'no two triples of service, identity and key share an id'),
  38: tested('characters of a key that mean something elsewhere', 'regression/38-naughty-keys.test.ts', 'keys that mean something to an object, a query, a shell or a page are keys like others, and are told to nobody'),
  39: tested('marks of a replay that anybody can set', 'regression/39-spoofed-marks.test.ts', 'a client that says its request is a replay is not believed, and neither is anybody behind told so'),
  40: tested('an edited policy turns old keys into mismatches', 'regression/40-edited-policy.test.ts', 'a policy that was edited makes no old key a mismatch, and an old key still refuses another request'),

  // Bodies and headers
  41: tested('a body that is too large gets around the protection, or leaves its key stuck', 'e2e/flow-one.test.ts', 'a body above the limit is 413 before any claim; one that fits still runs under the same key'),
  42: tested('a limit that only looks at Content-Length', 'regression/42-limit-without-a-length.test.ts', 'a chunked body is counted as it comes: past the limit it is 413, and its key is free'),
  43: tested('a stream replayed empty', 'e2e/flow-one.test.ts', 'a reply that is too large is passed on whole, settled before its first byte, and not kept'),
  44: tested('a replayed length or coding breaks the framing', 'regression/44-framing-of-a-replay.test.ts', 'a reply ${what} is framed anew, live and replayed'),
  45: tested('Set-Cookie and Date replayed', 'e2e/flow-one.test.ts', 'a new key runs, the same request again is replayed'),
  46: tested('an encoding that the second caller did not ask for', 'regression/46-encoded-replies.test.ts', 'an encoded reply is replayed as it was, and says so to a caller that asked for another encoding'),
  47: tested('Expect and Upgrade on a guarded request', 'regression/47-expect-and-upgrade.test.ts', 'a keyed request that would like to switch protocols is not let around its guard'),

  // Stores
  48: tested('failing open by default', 'e2e/invariants.test.ts', 'I5 the authority decides: when it is gone, nothing is sent on a guess'),
  49: tested('a failover of Redis forgets the lock', 'regression/49-redis-failover.test.ts', 'a failover of Redis, and the old master that comes back, let no key run again and no client wait for it'),
  50: tested('waiters hold connections', 'request/waiters.test.ts', '5,000 who wait for another process cost one claim, one flag and one look, hold no body, and are all told the one answer'),
  51: tested('set and expire in two steps', 'regression/51-expiry-in-one-step.test.ts', 'no key of ours in Redis is ever without an expiry, because it is written together with it'),
  52: tested('a corrupt record taken for none', 'store/damage-of-keys.test.ts', 'a flipped byte in the table of keys or in one of its indexes'),
  53: tested('a cache that remembers what was not there', 'regression/53-nothing-negative-in-the-cache.test.ts', 'that a key was new, or in flight, is remembered nowhere: once it is completed all get its answer'),
  54: tested('a purge that deletes in bulk or takes what is unresolved', 'contract/upkeep.ts', 'the sweep deletes completed records past their retention, a few at a time'),
  55: unreachable('regions of which the last writer wins', 'no store is offered that has more than one writer for a key; the embedded one belongs to one process'),

  // Retries
  56: tested('transport errors repeated for any method', 'request/retry-loop.test.ts', 'over random schedules of failures: one attempt with an effect, delays within their bounds, no retry past the deadline, no budget overdrawn'),
  57: tested('a GET answered 503 repeated ten times by the proxy plugin', 'e2e/pass-through.test.ts', 'a GET answered 503 is not repeated behind our back'),
  58: tested('retries that multiply, without budget and jitter', 'simulation/fleet.test.ts', '200 sidecars before an upstream that fails for a minute load it with less than 1.25 of what is offered, and leave it in peace after that'),
  59: later('UNAVAILABLE taken for unsent', 10),

  // Outbox, relay, process
  60: tested('gaps in sequences, order, two leaders, dedupe windows of sinks, floods after an outage, metrics that scan', 'store/postgres/outbox.test.ts', 'an event that commits late, with a lower row than what was delivered, is taken nevertheless',
    ['simulation/relays.test.ts', 'whatever fails, dies, hangs or commits late: nothing is lost, lanes keep their order, ids stay the same'],
    ['store/postgres/outbox.test.ts', 'a settle and a takeover stand in line: whoever is second sees what the first has written'],
    ['chaos/relay/smoke.test.ts', 'a leader that stands still is replaced within its lease, and starts no delivery when it goes on'],
    ['chaos/relay/smoke.test.ts', 'what an outage has left arrives paced: no second sees more than 1.1 times the rate'],
    ['chaos/relay/brokers.test.ts', 'a reader of committed records sees every event once and in order, whether relay or broker is killed or stands still'],
    ['sink/sqs-fifo.test.ts', 'an entry has lane, id and content, and as attributes what receivers filter by'],
    ['sink/sqs-fifo.test.ts', 'what is sent again when SQS may have forgotten its id is counted'],
    ['source/concurrent.test.ts', 'twenty transactions at a time that commit out of order: every row is published once, in the order of its lane'],
    ['source/concurrent.test.ts', 'a cursor alone, which is what one writes first, skips rows under the same load: this test would see it'],
    ['store/postgres/outbox.test.ts', 'a take of many lanes, of one long lane, and behind many that rest reads no more than it gives']),
}

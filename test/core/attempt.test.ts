import { test } from 'tap'
import { judge, mayHaveActed, nestedProblemClass, statusClass, type AttemptOutcome, type StatusPolicy } from '../../src/core/attempt.ts'
import { problem, problemBody, PROBLEMS, type ProblemCode } from '../../src/core/problem.ts'
import type { Reply } from '../../src/core/reply.ts'

const PLAIN: StatusPolicy = { rules: new Map(), inProgress: [], otherwise: 'final', proofs: [] }
const NO_RULES = PLAIN.rules

function reply(status: number, headers: readonly string[] = [], body = ''): Reply {
  return { status, headers, body: Buffer.from(body), trailers: [] }
}

function answered(status: number): AttemptOutcome {
  return { kind: 'answered', reply: { kind: 'whole', reply: reply(status) } }
}

function refused(status: number): AttemptOutcome {
  return { kind: 'refused', reply: { kind: 'whole', reply: reply(status) } }
}

const LOST: AttemptOutcome = { kind: 'lost', cause: 'connection-lost', reply: null }
const NOT_SENT: AttemptOutcome = { kind: 'not_sent', cause: 'connect-refused' }

test('the class of a status, row by row', async (t) => {
  const rows: readonly [number, readonly string[], 'answered' | 'refused' | 'lost'][] = [
    [200, [], 'answered'], [201, [], 'answered'], [302, [], 'answered'], [400, [], 'answered'], [401, [], 'answered'],
    [404, [], 'answered'], [409, [], 'answered'], [422, [], 'answered'], [500, [], 'answered'], [501, [], 'answered'],
    [425, [], 'refused'], [429, [], 'refused'], [503, ['Retry-After', '1'], 'refused'],
    [408, [], 'lost'], [502, [], 'lost'], [503, [], 'lost'], [504, [], 'lost'],
    [520, [], 'lost'], [521, [], 'lost'], [522, [], 'lost'], [523, [], 'lost'], [524, [], 'lost'], [525, [], 'lost'], [526, [], 'lost'], [527, [], 'lost'], [530, [], 'lost'],
  ]
  for (const [status, headers, expected] of rows) t.equal(statusClass(status, headers, PLAIN, false), expected, `${status} ${headers.join(': ')} is ${expected}`)
})

test('a route overrides the class of a status', async (t) => {
  const policy: StatusPolicy = { rules: new Map([[503, 'refused'], [500, 'lost'], [429, 'final']]), inProgress: [], otherwise: 'final', proofs: [] }
  t.equal(statusClass(503, [], policy, false), 'refused')
  t.equal(statusClass(500, [], policy, false), 'lost')
  t.equal(statusClass(429, [], policy, false), 'answered')
})

test('an in-progress status is no answer once an earlier attempt may have run', async (t) => {
  const policy: StatusPolicy = { rules: new Map(), inProgress: [409, 425], otherwise: 'final', proofs: [] }
  t.equal(statusClass(409, [], policy, false), 'answered')
  t.equal(statusClass(409, [], policy, true), 'lost')
  t.equal(statusClass(425, [], policy, true), 'lost')
})

test('the verdict over a single attempt', async (t) => {
  const rows: readonly [AttemptOutcome, string][] = [
    [answered(200), 'complete'], [answered(500), 'complete'], [answered(404), 'complete'],
    [answered(401), 'release'], [answered(403), 'release'], [answered(407), 'release'],
    [refused(429), 'release'], [NOT_SENT, 'release'],
    [LOST, 'abandon'], [{ kind: 'aborted', by: 'deadline', sent: true }, 'abandon'], [{ kind: 'aborted', by: 'shutdown', sent: false }, 'release'],
  ]
  for (const [outcome, expected] of rows) t.equal(judge([outcome], false, NO_RULES).as, expected, `${outcome.kind} ends in ${expected}`)
})

test('once an attempt may have acted, no later one makes a release legal', async (t) => {
  for (const last of [answered(401), refused(429), NOT_SENT, { kind: 'aborted', by: 'deadline', sent: false } as const]) {
    t.equal(judge([last], true, NO_RULES).as, 'abandon', `${last.kind} of a recovering claim`)
    t.equal(judge([LOST, last], false, NO_RULES).as, 'abandon', `${last.kind} after a lost one`)
    t.equal(judge([{ kind: 'aborted', by: 'deadline', sent: true }, last], false, NO_RULES).as, 'abandon')
  }
  t.equal(judge([NOT_SENT, NOT_SENT], false, NO_RULES).as, 'release', 'what was never sent can be released')
  t.equal(judge([LOST, answered(200)], false, NO_RULES).as, 'complete', 'an answer ends the doubt')
})

test('a claim under which nothing was tried is released, unless it took over a doubt', async (t) => {
  t.equal(judge([], false, NO_RULES).as, 'release')
  t.equal(judge([], true, NO_RULES).as, 'abandon')
})

test('a 401 that the route calls final is kept like any answer', async (t) => {
  t.equal(judge([answered(401)], false, new Map([[401, 'final']])).as, 'complete')
})

test('an attempt that was refused or not sent cannot have acted', async (t) => {
  t.notOk(mayHaveActed(refused(429)))
  t.notOk(mayHaveActed(NOT_SENT))
  t.ok(mayHaveActed(LOST))
  t.ok(mayHaveActed(answered(200)))
})

test('a problem of another Onceward is judged by what it says about itself', async (t) => {
  for (const code of Object.keys(PROBLEMS) as ProblemCode[]) {
    const of = problem(code, 'detail')
    const report = reply(of.status, ['Content-Type', 'application/problem+json'], problemBody(of))
    t.equal(nestedProblemClass(report), PROBLEMS[code].mayHaveRun ? 'lost' : 'refused', code)
  }
})

test("a service's own problem report is its answer", async (t) => {
  const own = JSON.stringify({ type: 'https://example.com/out-of-stock', may_have_run: false })
  t.equal(nestedProblemClass(reply(409, ['Content-Type', 'application/problem+json'], own)), undefined)
  t.equal(nestedProblemClass(reply(409, ['Content-Type', 'application/problem+json'], '{broken')), undefined)
  t.equal(nestedProblemClass(reply(409, ['Content-Type', 'application/problem+json'], 'null')), undefined)
  t.equal(nestedProblemClass(reply(409, ['Content-Type', 'application/json'], '{"type":"urn:onceward:problem:in-flight"}')), undefined)
})

test('a header that the route names proves that the upstream did not get the request, whatever the status of the error', async (t) => {
  const policy: StatusPolicy = { rules: new Map([[503, 'lost'], [404, 'final']]), inProgress: [409], otherwise: 'final', proofs: ['x-envoy-overloaded'] }
  const proof = ['X-Envoy-Overloaded', 'true']
  t.equal(statusClass(503, [], policy, false), 'lost')
  t.equal(statusClass(503, proof, policy, false), 'refused', 'it goes before `lost`')
  t.equal(statusClass(500, proof, policy, false), 'refused')
  t.equal(statusClass(404, proof, policy, false), 'answered', 'but not before `final`')
  t.equal(statusClass(200, proof, policy, false), 'answered', 'and a success is one')
  t.equal(statusClass(409, proof, policy, true), 'lost', 'after a doubt it may speak of the first attempt')
})

test('where nothing but 2xx is an answer, everything else is a refusal, unless it has a meaning of its own', (t) => {
  const policy: StatusPolicy = { rules: new Map([[410, 'final'], [500, 'lost']]), inProgress: [], otherwise: 'refused', proofs: [] }
  for (const status of [200, 201, 202, 204, 299, 410]) t.equal(statusClass(status, [], policy, false), 'answered', `${status}`)
  for (const status of [300, 301, 304, 400, 401, 404, 409, 422, 429, 501, 505, 599, 600, 999]) t.equal(statusClass(status, [], policy, false), 'refused', `${status}`)
  for (const status of [408, 500, 502, 503, 504, 522]) t.equal(statusClass(status, [], policy, false), 'lost', `${status}`)
  t.equal(statusClass(503, ['retry-after', '1'], policy, false), 'refused')
  t.end()
})

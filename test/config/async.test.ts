import { join } from 'node:path'
import { test } from 'tap'
import { parseArguments } from '../../src/cli/arguments.ts'
import { check } from '../../src/cli/check.ts'
import { explain } from '../../src/cli/explain.ts'
import { needsRestart } from '../../src/config/restart.ts'
import { configOf, mistakesIn, policyOf } from '../support/load-text.ts'

const SEALING = `store: { sealing: { keys: [{ id: one, secret: "${Buffer.alloc(32, 1).toString('base64')}" }] } }`
const route = (more: string): string => `\nroutes:\n  - { name: report, match: { method: POST, path: /reports }, ${more} }\n`
const wrong = async (more: string, before = SEALING): Promise<string[]> => mistakesIn(`${before}${route(more)}`)

test('a route accepts nothing unless it says so, and says how', async (t) => {
  const { operations, routes } = await configOf(`${SEALING}\nroutes:\n  - { name: a, match: { path: /a } }\n  - { name: b, match: { path: /b }, async: allowed }\n  - { name: c, match: { path: /c }, async: always, idempotency: { key: required } }\n`)
  t.strictSame(routes.flatMap(({ name, action }) => (action.kind === 'guard' ? [[name, action.policy.accepts]] : [])), [['a', 'off'], ['b', 'allowed'], ['c', 'always'], ['default', 'off']])
  t.strictSame(operations, { concurrency: 16, attempts: 10, baseMs: 1000, capMs: 300_000, leaseMs: 30_000, quota: 1000, requestBodyBytes: 1_048_576, longestWaitMs: 60_000 })
})

test('every field of operations, and what it may be', async (t) => {
  const written = 'operations: { concurrency: 3, attempts: 1, base: 10ms, cap: 2s, lease: 1s, quota: 7, request_body: 2KiB, longest_wait: 0ms }'
  t.strictSame((await configOf(written)).operations, { concurrency: 3, attempts: 1, baseMs: 10, capMs: 2000, leaseMs: 1000, quota: 7, requestBodyBytes: 2048, longestWaitMs: 0 })
  t.match(await mistakesIn('operations: { concurrency: 0, request_body: 9MiB, longest_wait: 1h, lease: 1ms, quotas: 3 }'), [
    /operations\.concurrency: found 0; needed: a whole number from 1 to 1024/, /operations\.request_body: .*at most 8MiB/, /operations\.longest_wait: .*at most 10m/, /operations\.lease: .*at least 1s/, /operations\.quotas: there is no such field; did you mean quota/,
  ])
  t.match(await mistakesIn('operations: { base: 10m }'), [/^1:21: operations\.base: .*base at most as long as cap/])
  t.match(await mistakesIn('operations: { cap: 1ms }'), [/operations\.cap: .*base at most as long as cap/])
})

test('a route that accepts has keys', async (t) => {
  t.match(await wrong('async: sometimes'), [/^3:69: routes\[0\]\.async: found sometimes; needed: allowed or always/])
  t.match(await wrong('async: allowed, pass: true'), [/routes\[0\]\.async: found allowed; needed: nothing, because the route has pass: true/])
  t.match(await wrong('async: allowed, idempotency: { key: ignored }'), [/routes\[0\]\.async: .*key is ignored/])
  t.match(await wrong('async: always'), [/routes\[0\]\.async: found always; needed: idempotency\.key: required beside always/])
  t.match(await wrong('async: always, idempotency: { key: maybe }'), [/routes\[0\]\.idempotency\.key: found maybe/], 'told once')
  t.strictSame(await wrong('async: always, idempotency: { key: required }'), [])
  t.strictSame(await wrong('async: always', `${SEALING}\ndefaults: { idempotency: { key: required } }`), [])
  t.strictSame(await wrong('async: always, consumer: stripe, idempotency: { scope: route }'), [], 'a consumer has a key with every event')
})

test('every route that would store credentials unsealed is a mistake, at its place', async (t) => {
  const text = '\nroutes:\n  - { name: a, match: { path: /a }, async: allowed }\n  - name: b\n    match: { path: /b }\n    async: allowed\n'
  const needed = 'needed: store.sealing.keys beside it, because requests that are stored hold credentials'
  t.strictSame(await mistakesIn(text), [`3:44: routes[0].async: found allowed; ${needed}`, `6:12: routes[1].async: found allowed; ${needed}`])
  t.strictSame(await mistakesIn(`store: { postgres: "postgres://a@127.0.0.1/b" }${text}`).then((all) => all.length), 2, 'in Postgres, too')
  t.strictSame(await mistakesIn(`${SEALING}${text}`), [])
  t.match(await mistakesIn(`store: { sealing: { keys: [{ id: one, secret: short }] } }${text}`), [/store\.sealing\.keys\[0\]\.secret/], 'told once')
})

test('the sink that executes is nobody else\'s', async (t) => {
  t.match(await mistakesIn('sinks: { operations: { webhook: { url: https://hooks.example.com/a } } }'), [/^1:10: sinks\.operations: found operations; needed: another name/])
})

test('operations come into force with a reload', async (t) => {
  const [before, after] = [await configOf('operations: { quota: 3 }'), await configOf('operations: { quota: 4 }')]
  t.strictSame(needsRestart(before.written, after.written), [])
})

test('check and explain say what is accepted', async (t) => {
  const file = join(t.testdir({ 'f.yaml': `upstream: http://127.0.0.1:3000\n${SEALING}${route('async: allowed')}` }), 'f.yaml')
  const said = async (run: (output: { line: (text: string) => void, complaint: (text: string) => void }) => Promise<number>): Promise<string> => {
    const lines: string[] = []
    t.equal(await run({ line: (text) => lines.push(text), complaint: (text) => lines.push(text) }), 0)
    return lines.join('\n')
  }
  const summary = await said((output) => check(file, {}, {}, output))
  t.match(summary, /accepted requests: 16 at a time, at most 10 executions without an effect, 1000 waiting of one identity, bodies up to 1048576 bytes/)
  t.match(summary, /report .*accepted \(202\) where Prefer: respond-async asks for it/)
  const explained = async (...more: string[]): Promise<string> => {
    const command = parseArguments(['explain', 'POST', '/reports', '-H', 'Idempotency-Key: k', '-H', 'Authorization: Bearer t', ...more, '--config', file])
    if (command.kind !== 'explain') throw new Error(command.kind)
    return said((output) => explain(command.asked, command.flags, {}, output))
  }
  t.match(await explained(), /async +allowed +route[^]*it runs once/)
  t.match(await explained('-H', 'Prefer: respond-async'), /This request has a key and an identity: it is stored and answered 202; then it runs once/)
})

test('a route that says nothing is not told of', async (t) => {
  t.equal(policyOf(await configOf(''), 'default').accepts, 'off')
  const file = join(t.testdir({ 'f.yaml': 'upstream: http://127.0.0.1:3000\n' }), 'f.yaml')
  const lines: string[] = []
  await check(file, {}, {}, { line: (text) => lines.push(text), complaint: () => undefined })
  t.notMatch(lines.join('\n'), /accepted/)
})

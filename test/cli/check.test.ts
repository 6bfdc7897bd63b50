import { join } from 'node:path'
import { test } from 'tap'
import { check } from '../../src/cli/check.ts'
import { readVersion, type Output } from '../../src/cli/output.ts'

interface Heard extends Output {
  readonly lines: string[]
  readonly complaints: string[]
}

function listen(): Heard {
  const lines: string[] = []
  const complaints: string[] = []
  return { lines, complaints, line: (text) => void lines.push(text), complaint: (text) => void complaints.push(text) }
}

test('a right file is summed up, route by route', async (t) => {
  const dir = t.testdir({ 'a.yaml': `
service: charges
upstream: \${UP}
listen: "[::1]:8080"
routes:
  - { name: charges, match: { method: [POST, PUT], path: /v1/charges/:id, host: h }, idempotency: { key: required, in_flight: { wait: 90s }, when_unsure: { resend: { within: 24h } } } }
  - { name: rest, match: { path: /* }, pass: true }
` })
  const heard = listen()
  const file = join(dir, 'a.yaml')
  t.equal(await check(file, {}, { UP: 'http://127.0.0.1:3000' }, heard), 0)
  t.strictSame(heard.complaints, [])
  t.strictSame(heard.lines, [
    `${file} is right: 2 routes`,
    '  [::1]:8080 -> http://127.0.0.1:3000, admin on 127.0.0.1:9901, keys of charges in ./data',
    '  retries: default 0.2 per request and 10/s; no breaker',
    '  1. charges       POST PUT h/v1/charges/:id: key required, kept 1d, at most 4 attempts, deadline 30s, in flight: wait 90s, when unsure: resend within 1d, scope authorization + x-api-key',
    '  2. rest          every method /*: passes as it is',
    '  else default       POST PATCH /*: key optional, kept 1d, at most 4 attempts, deadline 30s, in flight: reject, when unsure: hold, scope authorization + x-api-key',
    '  else pass-through  every method /*: passes as it is',
  ])
})

test('a wrong file is answered with its mistakes and 78', async (t) => {
  const dir = t.testdir({ 'a.yaml': 'upstream: http://a\nlisten: 8080\nfoo: 1\n' })
  const heard = listen()
  const file = join(dir, 'a.yaml')
  t.equal(await check(file, {}, {}, heard), 78)
  t.strictSame(heard.lines, [])
  t.match(heard.complaints, [`${file}:2:9: listen: found 8080; needed: `, `${file}:3:1: foo: there is no such field; `])
})

test('a file that is not there is answered with 78', async (t) => {
  const heard = listen()
  t.equal(await check('/nowhere/a.yaml', {}, {}, heard), 78)
  t.strictSame(heard.complaints, ['/nowhere/a.yaml: there is no such file'])
})

test('a warning is told and is no mistake', async (t) => {
  const dir = t.testdir({ 'a.yaml': 'upstream: http://a\nroutes:\n  - { name: a, match: { path: /* } }\n  - { name: b, match: { path: /b } }\n' })
  const heard = listen()
  t.equal(await check(join(dir, 'a.yaml'), {}, {}, heard), 0)
  t.match(heard.complaints, [/^warning: the route b never matches: a stands before it/])
})

test('what is accepted is told as long as it is in force', async (t) => {
  const dir = t.testdir({ 'a.yaml': 'upstream: http://a\naccept: [frees-old-keys]\nroutes: [{ name: a, match: { path: /a, headers: { x-version: "2", X-Flag: "*" } } }]\n' })
  const heard = listen()
  t.equal(await check(join(dir, 'a.yaml'), {}, {}, heard), 0)
  t.match(heard.complaints, [/^warning: accept: \[frees-old-keys\] is in force/])
  t.match(heard.lines[3], 'every method /a with x-version and x-flag:')
})

test('flags and environment are judged as they would be at the start', async (t) => {
  const dir = t.testdir({ 'a.yaml': 'service: a' })
  const file = join(dir, 'a.yaml')
  t.equal(await check(file, {}, {}, listen()), 78)
  t.equal(await check(file, { upstream: 'http://a' }, {}, listen()), 0)
  t.equal(await check(file, {}, { ONCEWARD_UPSTREAM: 'http://a' }, listen()), 0)
})

test('the version is the one of package.json', (t) => {
  t.match(readVersion(), /^\d+\.\d+\.\d+/)
  t.end()
})

test('what a source needs in the database of its application is printed as statements, without its password', async (t) => {
  const dir = t.testdir({ 'a.yaml': `
upstream: http://a
sinks: { hook: { webhook: { url: "https://hooks.example.com/x", secrets: ["whsec_${Buffer.alloc(32).toString('base64')}"] } } }
outbox:
  sources:
    orders: { postgres: "postgres://reader:s3cret@db/shop", table: outbox, preset: debezium, order: seq, sink: hook }
    odd-1: { postgres: "postgres://db", table: '"Od.d"."T"', order: N, type: x, columns: { payload: 'p"q', id: N }, sink: hook }
` })
  const heard = listen()
  t.equal(await check(join(dir, 'a.yaml'), {}, {}, heard), 0)
  t.strictSame(heard.lines.slice(-7), [
    '  source orders reads outbox and may do nothing else there:',
    '    GRANT CONNECT ON DATABASE "shop" TO reader;',
    '    GRANT USAGE ON SCHEMA "public" TO reader;',
    '    GRANT SELECT ("seq", "id", "aggregateid", "type", "payload") ON "public"."outbox" TO reader;',
    '  source odd-1 reads Od.d.T and may do nothing else there:',
    '    GRANT USAGE ON SCHEMA "Od.d" TO reader;',
    '    GRANT SELECT ("N", "p""q") ON "Od.d"."T" TO reader;',
  ])
  t.notMatch([...heard.lines, ...heard.complaints].join(), 's3cret')
})

import { test } from 'tap'
import { mistakesIn } from '../support/load-text.ts'

test('every mistake is told in one run, in reading order, with its place, what stands there and what would be right', async (t) => {
  t.strictSame(await mistakesIn(`service: "bad name!"
lisen: 127.0.0.1:80
limits:
  request_body: 8MB
  upstream_connections: many
log: { level: inf }
defaults:
  idempotency:
    key: requird
    retention: 24
    lease: 1s
    unknown_status: "504"
routes:
  - name: Bad
    match: { method: post, path: v1 }
  - nonsense
  - match: {}
    pass: false
`), [
    '1:10: service: found "bad name!"; needed: 1 to 64 of the characters A-Z a-z 0-9 . _ -',
    '2:1: lisen: there is no such field; did you mean listen?',
    '4:17: limits.request_body: found 8MB; needed: a size with a unit such as 512B, 64KiB, 8MiB or 1GiB (write 8MiB)',
    '5:25: limits.upstream_connections: found many; needed: a whole number from 1 to 65535',
    '6:15: log.level: found inf; needed: debug, info, warn, error or silent (write info)',
    '9:10: defaults.idempotency.key: found requird; needed: required, optional or ignored (write required)',
    '10:16: defaults.idempotency.retention: found 24; needed: a duration with a unit such as 250ms, 60s, 5m, 24h or 30d (write 24s, 24m or 24h)',
    '11:12: defaults.idempotency.lease: found 1s; needed: at least 3s',
    '12:21: defaults.idempotency.unknown_status: found "504"; needed: 504 or 409 (write 504)',
    '14:11: routes[0].name: found Bad; needed: 1 to 63 of the characters a-z 0-9 -, the first one a letter or a digit, such as create-charge',
    '15:22: routes[0].match.method: found post; needed: a method in upper case such as POST, or a list such as [a, b] (write POST)',
    '15:34: routes[0].match.path: found v1; needed: a path such as /v1/charges, /v1/charges/:id or /v1/* (`*` only as the last segment, no query, no dot segments, not below /_onceward)',
    '16:5: routes[1]: found nonsense; needed: a group of fields (name, match, pass, consumer, idempotency, retry, status, cors, async, outbox)',
    '17:5: routes[2].name: found nothing; needed: 1 to 63 of the characters a-z 0-9 -, the first one a letter or a digit, such as create-charge',
    '17:12: routes[2].match.path: found nothing; needed: a path such as /v1/charges, /v1/charges/:id or /v1/* (`*` only as the last segment, no query, no dot segments, not below /_onceward)',
    '18:11: routes[2].pass: found false; needed: true',
  ])
})

test('fields of features that this version does not have are unknown', async (t) => {
  const lines = await mistakesIn('store: { mysql: x }\nsinks: {}\ndefaults: { outbox: { on: 2xx } }')
  t.strictSame(lines.map((line) => line.replace(/;.*/, '')), [
    '1:10: store.mysql: there is no such field',
    '3:13: defaults.outbox: there is no such field',
  ])
})

test('of two forms of a field the one that was meant is judged', async (t) => {
  const judged = async (text: string) => (await mistakesIn(`defaults: { idempotency: { ${text} } }`)).map((line) => line.replace(/^[0-9:]+ defaults.idempotency./, ''))
  t.match(await judged('in_flight: { wait: 10 }'), [/^in_flight.wait: found 10; .* \(write 10s, 10m or 10h\)$/])
  t.match(await judged('in_flight: rejct'), ['in_flight: found rejct; needed: reject, or {wait: 10s} (write reject)'])
  t.match(await judged('in_flight: [reject]'), ['in_flight: found a list; needed: reject, or {wait: 10s}'])
  t.match(await judged('when_unsure: { resend: {} }'), [/^when_unsure.resend.within: found nothing/])
  t.match(await judged('when_unsure: { resend: { within: 1h, in_progres: [409] } }'), [/^when_unsure.resend.in_progres: .*did you mean in_progress/])
  t.match(await judged('when_unsure: probe'), ['when_unsure: found probe; needed: hold, or {resend: {within: 24h}}'])
})

test('a field with nothing behind its colon is a mistake, at the field', async (t) => {
  t.strictSame(await mistakesIn('routes:\nstore:\n'), [
    '1:1: routes: found nothing; needed: a list of groups, each after a dash',
    '2:1: store: found nothing; needed: a group of fields (data_dir, embedded, postgres, redis, sealing)',
  ])
})

test('lists are judged entry by entry', async (t) => {
  t.strictSame(await mistakesIn('defaults:\n  status: { final: [500, 500, 77, x] }\n  idempotency: { credential_headers: [] }'), [
    '2:26: defaults.status.final[1]: found 500; needed: every value once',
    '2:31: defaults.status.final[2]: found 77; needed: a whole number from 200 to 599',
    '2:35: defaults.status.final[3]: found x; needed: a whole number from 200 to 599',
    '3:38: defaults.idempotency.credential_headers: found an empty list; needed: at least one',
  ])
})

test('names that every object inherits are unknown fields like others', async (t) => {
  const lines = await mistakesIn('__proto__: { listen: 1 }\nconstructor: 1\nlimits: { toString: 1, __proto__: 2 }')
  t.strictSame(lines.map((line) => line.replace(/;.*/, '')), [
    '1:1: __proto__: there is no such field',
    '2:1: constructor: there is no such field',
    '3:11: limits.toString: there is no such field',
    '3:24: limits.__proto__: there is no such field',
  ])
})

test('control characters of a file do not reach the terminal', async (t) => {
  const [line] = await mistakesIn('"a\\e[31m\\nb": 1')
  t.match(line, '1:1: a\\u{1b}[31m\\u{a}b: there is no such field')
})

test('a long value is cut', async (t) => {
  const [line = ''] = await mistakesIn(`service: ${'a'.repeat(500)}`)
  t.match(line, `found ${'a'.repeat(60)}...; needed`)
})

test('a value that was refused brings no second mistake by a rule between fields', async (t) => {
  t.equal((await mistakesIn('defaults: { idempotency: { retention: 60, retention_bounds: { max: 1h } } }')).length, 1)
  t.equal((await mistakesIn('limits: { request_body: 1GB, held_bodies: 1KiB, kept_reply: 1B }')).length, 1)
  t.equal((await mistakesIn('limits: { request_body: 2MiB, held_bodies: lots, kept_reply: 1B }')).length, 1)
  t.equal((await mistakesIn('listen: here\nadmin: { listen: 127.0.0.1:8080 }')).length, 1)
  t.equal((await mistakesIn('defaults: { status: { final: [500, 77], lost: [500] } }')).length, 1)
})

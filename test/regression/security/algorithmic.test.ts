import { test } from 'tap'
import { nestedProblemClass } from '../../../src/core/attempt.ts'
import { fingerprint } from '../../../src/core/fingerprint.ts'
import { connectionNames, received } from '../../../src/core/headers.ts'
import { readKey } from '../../../src/core/key.ts'
import { readPath } from '../../../src/core/path.ts'
import { findRoute, type Route } from '../../../src/core/route.ts'
import { parseAddress, parseOrigin } from '../../../src/config/addresses.ts'
import { mistakesIn } from '../../support/load-text.ts'

/*
 * Inputs on which a reader that looks back is quadratic or worse. They are so large that such a reader would not end
 * within a test's time at all (10^12 steps), so that no clock is needed to tell: a linear one takes a blink.
 */

const SIZE = 1_000_000
const HOSTILE = [' ', '"', '\\', '\\"', ',', ';', '/', '/.', '/..', '//', '%', '%2', '%2e', '%61', '0', 'a', 'a ', ';boundary=', '; ', ';boundary="', '\t', '(', ':', 'é', '[', '{"a":', '@', '-'].map((piece) => piece.repeat(SIZE / piece.length))

test('every reader of what a client or an upstream sends ends on a million hostile characters', async (t) => {
  const spec = { version: 1, mode: 'raw', headers: [] } as const
  let read = 0
  for (const text of HOSTILE) {
    for (const line of [text, `"${text}`, `"${text}"`, `"a";${text}`]) readKey(['Idempotency-Key', line])
    for (const line of [`/${text}`, `${text}/`, `/a/${text}!`]) readPath(line)
    connectionNames(['Connection', text, 'Connection', `close,${text}`])
    received(['Connection', text, 'X-A', '1'])
    for (const type of [`multipart/${text}`, `multipart/form-data;${text}`, `multipart/form-data; boundary="${text}`]) fingerprint('s', spec, { method: 'POST', target: '/', fields: ['Content-Type', type], body: new Uint8Array() })
    nestedProblemClass({ status: 400, headers: ['Content-Type', 'application/problem+json'], body: Buffer.from(text), trailers: [] })
    parseAddress(`${text}:80`)
    parseOrigin(`http://${text}`)
    read += 1
  }
  t.equal(read, HOSTILE.length)
})

test('a path with hundreds of thousands of segments is matched in one pass over each pattern', async (t) => {
  const route = (name: string, path: string): Route => {
    const pattern = path.split('/').filter((segment) => segment !== '')
    return { name, methods: null, host: null, path: pattern, lookalike: pattern, headers: [], cors: null, action: { kind: 'pass', deadlineMs: null, retry: null } }
  }
  const routes = [...Array.from({ length: 20 }, (_, i) => route(`r${i}`, `/${':a/'.repeat(50)}end`)), route('rest', '/*')]
  t.match(findRoute(routes, { method: 'GET', target: '/a'.repeat(SIZE / 2), fields: [] }), { kind: 'route', route: { name: 'rest' } })
})

test('a hundred thousand fields, of one name or of as many, are read in one pass', async (t) => {
  const many = Array.from({ length: 100_000 }, (_, i) => [`x-${i}`, 'v']).flat()
  const same = Array.from({ length: 100_000 }, () => ['Connection', 'x-1, x-2']).flat()
  t.same(readKey([...many, 'Idempotency-Key', 'k']), { kind: 'present', key: 'k' })
  t.equal(received([...many, ...same]).length, 2 * (100_000 - 2))
  t.match(readKey(Array.from({ length: 100_000 }, () => ['Idempotency-Key', 'k']).flat()), { kind: 'invalid' })
})

test('a configuration of hostile names and patterns ends in its mistakes', async (t) => {
  const routes = Array.from({ length: 300 }, (_, i) => `  - { name: r${i}, match: { path: "/${':a/'.repeat(20)}x${i}" } }`)
  t.same(await mistakesIn(`routes:\n${routes.join('\n')}\n`), [])
  t.ok((await mistakesIn(`${'a'.repeat(5000)}: 1\n${'retry_'.repeat(1000)}: 1\n`)).length >= 2, 'unknown names find no nearest one for ever')
  t.ok((await mistakesIn(`defaults: { retry: { deadline: "${'1'.repeat(100_000)}s" } }\n`)).length >= 1)
  t.ok((await mistakesIn(`service: "${'$'.repeat(50_000)}\${${'{'.repeat(50_000)}"\n`)).length >= 1)
})

import fc from 'fast-check'
import { test } from 'tap'
import { lookalike, readPath } from '../../src/core/path.ts'
import { findRoute, whyNot, type Route } from '../../src/core/route.ts'
import type { Policy } from '../../src/core/policy.ts'
import { configOf, policyOf } from '../support/load-text.ts'

const segments = (target: string): readonly string[] | string => {
  const reading = readPath(target)
  return reading.kind === 'path' ? reading.segments : 'invalid'
}

test('ways to write one path are one path', async (t) => {
  for (const target of ['/v1/charges', '/v1/charges/', '//v1//charges', '/v1/./charges', '/v1/x/../charges', '/%76%31/charges', '/v1/charges?a=/b', '/v1/charges?', '/v1/charges?a?b#c', 'http://host/v1/charges', 'HTTPS://h:1/v1/charges']) {
    t.same(segments(target), ['v1', 'charges'], target)
  }
  t.same(segments('/a%20b'), ['a%20b'])
  t.same(segments('/a%c3%A9'), ['a%C3%A9'])
  t.same(segments('/a\xc3\xa9'), ['a%C3%A9'], 'raw bytes are read as if they were encoded')
  t.same(segments('/a|b"'), ['a%7Cb%22'])
  t.same(segments('/'), [])
  t.same(segments('*'), [], 'the server as a whole')
  t.same(segments('http://host'), [])
})

test('what two servers could read differently is refused', async (t) => {
  const refused = [
    '/v1%2fcharges', '/v1%2Fcharges', String.raw`/v1\charges`, '/v1%5Ccharges', '/a%00b', '/../x', '/v1/../../x', '/%2e%2e/x', '/%2E./x', '/.%2e/x', '/a%zz', '/a%', '/a%2', '/%u002f',
    'v1/charges', '', 'host:443', 'ftp://host/a', 'http:///a', 'http://user@host/a', String.raw`http://host\a/b`,
    '/v1/..;/x', '/v1/.;a=1/x', '/v1/%2e%2e;/x', '/v1/charges#f', '/v1/a\tb', '/v1/a b', '/v1/\x7f', '/v1/\u{ff0f}',
    '/v1%c0%afcharges', '/v1/%c0%ae%C0%AE/x', '/v1\xc0\xafcharges', '/%e0%80%af', '/%F0%80%80%AF',
  ]
  for (const target of refused) t.equal(segments(target), 'invalid', JSON.stringify(target))
})

test('a fullwidth slash is a character like others, raw or encoded', async (t) => {
  t.same(segments('/v1\xef\xbc\x8fcharges'), ['v1%EF%BC%8Fcharges'])
  t.same(segments('/v1%ef%bc%8fcharges'), ['v1%EF%BC%8Fcharges'])
})

const HOSTILE = fc.string({ unit: fc.constantFrom('/', '.', '%', '2', '5', 'e', 'f', 'E', 'c', '0', 'a', 'A', '?', ';', '\\', '#', '\xc3', '\t', ':', '*'), maxLength: 24 })

test('normalising is idempotent and never throws, whatever is sent', async (t) => {
  fc.assert(fc.property(fc.oneof(HOSTILE.map((path) => `/${path}`), HOSTILE, fc.string({ unit: 'binary' })), (target) => {
    const once = readPath(target)
    if (once.kind === 'invalid') return true
    lookalike(once.segments)
    const twice = readPath(`/${once.segments.join('/')}`)
    return twice.kind === 'path' && twice.segments.join('/') === once.segments.join('/')
  }), { numRuns: 20_000 })
  t.pass('for 20,000 random targets')
})

const route = (name: string, path: string, more: Partial<Route> = {}): Route => {
  const pattern = path.split('/').filter((segment) => segment !== '')
  return { name, methods: null, host: null, path: pattern, lookalike: lookalike(pattern), headers: [], cors: null, action: { kind: 'pass', deadlineMs: null, retry: null }, ...more }
}

const policy = async (): Promise<Policy> => policyOf(await configOf(''), 'default')

const finder = (routes: readonly Route[]) => (method: string, target: string, ...fields: string[]): string => {
  const finding = findRoute(routes, { method, target, fields })
  return finding.kind === 'route' ? finding.route.name : finding.kind
}

test('the first route that matches decides', async (t) => {
  const find = finder([
    route('charge', '/v1/charges', { methods: new Set(['POST']) }),
    route('capture', '/v1/charges/:id/capture'),
    route('tenant', '/v1/*', { host: 'eu.example.com' }),
    route('label', '/v1/*', { host: '*.example.org' }),
    route('root', '/'),
    route('rest', '/*'),
  ])
  t.equal(find('POST', '/v1/charges'), 'charge')
  t.equal(find('GET', '/v1/charges'), 'rest')
  t.equal(find('POST', '/v1/charges/ch_1/capture'), 'capture')
  t.equal(find('POST', '/v1/charges/ch_1/refund'), 'rest')
  t.equal(find('POST', '/v1/charges/ch_1/capture/x'), 'rest')
  for (const host of ['EU.example.com:8080', 'eu.example.com', 'eu.example.com.', 'eu.example.com:']) t.equal(find('GET', '/v1/anything', 'Host', host), 'tenant', host)
  t.equal(find('GET', 'http://eu.example.com/v1/x', 'Host', 'other'), 'tenant', 'an absolute-form target has the last word')
  t.equal(find('GET', 'http://other/v1/x', 'Host', 'eu.example.com'), 'rest')
  t.equal(find('GET', '/v1/x', 'Host', 'a.example.org'), 'label')
  for (const host of ['example.org', 'a.b.example.org', '.example.org', 'example.org.a']) t.equal(find('GET', '/v1/x', 'Host', host), 'rest', host)
  t.equal(find('GET', '/'), 'root')
  t.equal(find('OPTIONS', '*'), 'root')
  t.equal(find('GET', '*'), 'invalid')
})

test('a header condition wants the exact value, or any; and one value only', async (t) => {
  const find = finder([
    route('second', '/*', { headers: [{ name: 'x-version', value: '2' }, { name: 'x-flag', value: null }] }),
    route('flagged', '/*', { headers: [{ name: 'x-flag', value: null }] }),
    route('rest', '/*'),
  ])
  t.equal(find('GET', '/', 'X-Version', '2', 'X-FLAG', ''), 'second')
  t.equal(find('GET', '/', 'X-Version', ' 2 ', 'x-flag', 'a', 'x-flag', 'b'), 'second')
  t.equal(find('GET', '/', 'X-Version', '2', 'X-Version', '2', 'x-flag', ''), 'second')
  t.equal(find('GET', '/', 'X-Version', '22', 'X-Flag', '1'), 'flagged')
  t.equal(find('GET', '/', 'X-Version', '2'), 'rest')
  t.equal(find('GET', '/', 'X-Version', '1', 'X-Version', '2', 'x-flag', ''), 'invalid', 'two values are two routes')
  t.equal(find('GET', '/', 'Connection', 'close, X-Flag', 'X-Flag', '1'), 'invalid', 'the upstream would not see it')
  t.equal(find('GET', '/', 'Connection', 'close, x-other', 'X-Flag', '1'), 'flagged')
})

test('what a careless server would take for a request of another, guarded route is refused', async (t) => {
  const find = finder([
    route('charge', '/v1/charges', { methods: new Set(['POST']), action: { kind: 'guard', policy: await policy() } }),
    route('cancel', '/v1/jobs/:id/x:cancel', { action: { kind: 'guard', policy: await policy() } }),
    route('users', '/users/:id', { action: { kind: 'guard', policy: await policy() } }),
    route('big-users', '/Users/:id', { action: { kind: 'guard', policy: await policy() } }),
    route('files', '/files/*'),
    route('Files', '/FILES/x'),
    route('rest', '/*'),
  ])
  for (const target of ['/V1/charges', '/v1/charges;jsessionid=1', '/v1;a/charges', '/v1/%252e%252e/v1/charges', '/x/%252e%252E/v1/charges', '/v1%252Fcharges', '/v1%255ccharges', '/v1/charges%3b', '/%2576%31/charges', '/v1/%2563harges', '/v1/charge%25%37%33']) {
    t.equal(find('POST', target), 'invalid', target)
  }
  t.equal(find('POST', '/v1/jobs/1/x%3Acancel'), 'invalid')
  t.equal(find('GET', '/V1/charges'), 'rest', 'another method is another route in both readings')
  t.equal(find('POST', '/v1/jobs/AbC;x/x:cancel'), 'cancel', 'where the readings agree nothing is refused')
  t.equal(find('GET', '/users/1'), 'users')
  t.equal(find('GET', '/Users/1'), 'big-users', 'told apart on purpose')
  t.equal(find('GET', '/Files/x'), 'rest', 'neither of the two guards')
  t.equal(find('POST', '/v1/caf%C3%A9'), 'rest')
  t.equal(find('GET', '/_onceward/x'), 'reserved')
  t.equal(find('GET', '/%5fonceward'), 'reserved')
  t.equal(find('GET', '/_ONCEWARD/x'), 'reserved')
})

test('two targets with one normal form match one route', async (t) => {
  const guarded = { action: { kind: 'guard', policy: await policy() } } as const
  const routes = [route('a', '/a', guarded), route('b', '/a/:x/e', guarded), route('c', '/a/*'), route('d', '/e%C3%A9/*', guarded), route('rest', '/*')]
  const find = finder(routes)
  const disguise = fc.array(fc.constantFrom('plain', 'encoded', 'lower', 'slash', 'dot', 'detour'), { minLength: 12, maxLength: 12 })
  const path = fc.array(fc.constantFrom('a', 'e', 'e%C3%A9', 'x', '%20', 'A', ';', '%252e'), { maxLength: 4 })
  fc.assert(fc.property(path, disguise, fc.boolean(), (plain, ways, closed) => {
    const other = plain.map((segment, i) => disguised(segment, ways[i] ?? 'plain')).join('') + (closed ? '/' : '')
    const target = plain.length === 0 ? '/' : plain.map((segment) => `/${segment}`).join('')
    return find('POST', target) === find('POST', other === '' ? '/' : other)
  }), { numRuns: 5000 })
  t.pass('for 5,000 pairs')
})

function disguised(segment: string, way: string): string {
  switch (way) {
    case 'encoded': return `/${segment.replace(/^[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`)}`
    case 'lower': return `/${segment.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())}`
    case 'slash': return `//${segment}`
    case 'dot': return `/%2E/${segment}`
    case 'detour': return `/zz/%2e./${segment}`
    default: return `/${segment}`
  }
}

test('each route that stands before says why it is not the one', async (t) => {
  const asked = { method: 'POST', target: '/v1/charges', fields: ['Host', 'a', 'X-Version', '1'] }
  const why = (more: Partial<Route>, path = '/v1/charges') => whyNot(route('r', path, more), asked)
  t.same(why({ methods: new Set(['GET']) }), { kind: 'method' })
  t.same(why({}, '/v1'), { kind: 'path' })
  t.same(why({ host: 'b' }), { kind: 'host' })
  t.same(why({ headers: [{ name: 'x-version', value: '2' }] }), { kind: 'header', name: 'x-version', found: 'other' })
  t.same(why({ headers: [{ name: 'x-flag', value: null }] }), { kind: 'header', name: 'x-flag', found: 'absent' })
  t.equal(why({}), null)
})

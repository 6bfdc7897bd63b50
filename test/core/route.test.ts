import fc from 'fast-check'
import { test } from 'tap'
import { matchRoute, pathPattern, readPath, type Route } from '../../src/core/route.ts'

const segments = (target: string): readonly string[] | string => {
  const reading = readPath(target)
  return reading.kind === 'path' ? reading.segments : 'invalid'
}

test('ways to write one path are one path', async (t) => {
  for (const target of ['/v1/charges', '/v1/charges/', '//v1//charges', '/v1/./charges', '/v1/x/../charges', '/%76%31/charges', '/v1/charges?a=/b', '/v1/charges#f']) {
    t.same(segments(target), ['v1', 'charges'], target)
  }
  t.same(segments('/a%20b'), ['a%20b'])
  t.same(segments('/a%c3%A9'), ['a%C3%A9'])
  t.same(segments('/'), [])
})

test('what two servers could read differently is refused', async (t) => {
  for (const target of ['/v1%2fcharges', '/v1%2Fcharges', String.raw`/v1\charges`, '/v1%5Ccharges', '/a%00b', '/../x', '/v1/../../x', '/%2e%2e/x', '/a%zz', '/a%', 'v1/charges']) {
    t.equal(segments(target), 'invalid', target)
  }
})

test('normalising is idempotent and never throws', async (t) => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom('/', '.', '%', '2', 'e', 'f', 'a', '?', ';', '\\') }), (path) => {
    const once = readPath(`/${path}`)
    if (once.kind === 'invalid') return true
    const twice = readPath(`/${once.segments.join('/')}`)
    return twice.kind === 'path' && twice.segments.join('/') === once.segments.join('/')
  }), { numRuns: 5000 })
  t.pass('for 5,000 random paths')
})

const route = (name: string, path: string, more: Partial<Route> = {}): Route => ({ name, methods: null, host: null, path: pathPattern(path), action: { kind: 'pass', deadlineMs: null }, ...more })

test('the first route that matches decides', async (t) => {
  const routes = [
    route('charge', '/v1/charges', { methods: new Set(['POST']) }),
    route('capture', '/v1/charges/:id/capture'),
    route('tenant', '/v1/*', { host: 'eu.example.com' }),
    route('rest', '/*'),
  ]
  const find = (method: string, target: string, host = 'example.com') => matchRoute(routes, method, segments(target) as readonly string[], ['Host', host])?.name
  t.equal(find('POST', '/v1/charges'), 'charge')
  t.equal(find('GET', '/v1/charges'), 'rest')
  t.equal(find('POST', '/v1/charges/ch_1/capture'), 'capture')
  t.equal(find('POST', '/v1/charges/ch_1/refund'), 'rest')
  t.equal(find('POST', '/v1/charges/ch_1/capture/x'), 'rest')
  t.equal(find('GET', '/v1/anything', 'EU.example.com:8080'), 'tenant')
  t.equal(find('GET', '/'), 'rest')
})

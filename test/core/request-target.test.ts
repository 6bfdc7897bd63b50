import fc from 'fast-check'
import { test } from 'tap'
import { isHost, readTarget, toldPath } from '../../src/core/request-target.ts'

test('each form of a target is told from the others', async (t) => {
  t.same(readTarget('GET', '/a//b?c=%2F'), { kind: 'origin', target: '/a//b?c=%2F', authority: null })
  t.same(readTarget('GET', 'http://h:1/a?b'), { kind: 'origin', target: '/a?b', authority: 'h:1' })
  t.same(readTarget('GET', 'HTTPS://h'), { kind: 'origin', target: '/', authority: 'h' })
  t.same(readTarget('OPTIONS', '*'), { kind: 'asterisk', authority: null })
  t.same(readTarget('OPTIONS', 'http://h'), { kind: 'asterisk', authority: 'h' })
  t.same(readTarget('OPTIONS', 'http://h/'), { kind: 'origin', target: '/', authority: 'h' })
  for (const target of ['', '*', '/a#b', 'a', 'ftp://h/', 'http://', 'http://u@h/', 'http://h#f', 'h:443']) t.equal(readTarget('GET', target).kind, 'invalid', target)
})

test('no text makes a reader throw, and what goes on is always a path', async (t) => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl({ withQueryParameters: true }), fc.string().map((rest) => `http://${rest}`))
  fc.assert(fc.property(fc.constantFrom('GET', 'OPTIONS'), text, (method, target) => {
    isHost(target)
    const reading = readTarget(method, target)
    if (reading.kind === 'invalid') return true
    if (reading.authority !== null && !isHost(reading.authority)) return false
    return reading.kind === 'asterisk' || (reading.target.startsWith('/') && readTarget(method, reading.target).kind === 'origin')
  }), { numRuns: 5000 })
  t.pass('for 5,000 random targets')
})

test('of a target nothing is told but its path: no query, and no password in front of a host', async (t) => {
  const targets: readonly (readonly [string, string])[] = [
    ['/a//b?c=%2F', '/a//b'], ['/a#b?c', '/a'], ['/?', '/'], ['http://user:secret@host/a?b', '/a'], ['http://user:secret@host', ''], ['x://user:secret@host?a', ''],
    ['user:secret@host:443', ''], ['*', '*'], ['', ''], ['?secret', ''], ['/a?http://b/c', '/a'],
  ]
  for (const [target, told] of targets) t.equal(toldPath(target), told, target)
  fc.assert(fc.property(fc.string(), fc.string(), (path, query) => t.ok(!toldPath(`/${path}?${query}`).includes('?'))))
  t.equal(toldPath(`${':'.repeat(100_000)}/`), '')
})

test('a host of 100,000 characters is judged at once', async (t) => {
  t.ok(isHost('a'.repeat(100_000)))
  t.notOk(isHost(`${'%41'.repeat(30_000)}%4`))
})

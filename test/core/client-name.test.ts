import fc from 'fast-check'
import { test } from 'tap'
import { clientOf } from '../../src/core/client-name.ts'

const from = (agent: string): string => clientOf(['User-Agent', agent])

test('an SDK is named by its product and its version', async (t) => {
  t.equal(from('acme-sdk/4.2.0 (linux; x64) node/24.1.0'), 'acme-sdk/4.2.0')
  t.equal(from('acme-sdk/4.2.0-rc.1'), 'acme-sdk/4.2.0-rc.1')
  t.equal(from('Stripe/v1 NodeBindings/23.1.0'), 'Stripe/v1')
  t.equal(from('curl'), 'curl')
})

test('who says nothing is none, and a browser is its family', async (t) => {
  t.equal(clientOf([]), 'none')
  t.equal(from('  '), 'none')
  t.equal(from('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'), 'chrome')
  t.equal(from('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0'), 'edge')
  t.equal(from('Mozilla/5.0 (something new)'), 'browser')
})

test('what could be data is not shown', async (t) => {
  for (const agent of ['jane@example.com/1.0', '4111111111111111', 'user-4111111111/1', 'a/b/c', '<script>/1', 'ä/1', 'x'.repeat(33)]) t.equal(from(agent), 'other', agent)
  for (const version of ['4111111111111111', 'jane@example.com', '20261201144000', '1.0-jane']) t.equal(from(`acme-sdk/${version}`), 'acme-sdk', version)
})

test('whatever a client calls itself, its name is short and plain', async (t) => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 2000 }), fc.tuple(fc.string(), fc.string()).map((both) => both.join('/'))), (agent) => {
    const name = from(agent)
    return name.length <= 80 && /^[A-Za-z][A-Za-z0-9_.-]*(?:\/[a-z0-9.-]+)?$/.test(name)
  }), { numRuns: 2000 })
  t.pass()
})

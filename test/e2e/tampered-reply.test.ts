import { test } from 'tap'
import type { KeyStore } from '../../src/core/ports.ts'
import type { Reply } from '../../src/core/reply.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

/** A store whose rows somebody has changed, checksums and all: every completion keeps another reply. */
function tampering(change: (reply: Reply) => Reply): (authority: KeyStore) => KeyStore {
  return (authority) => new Proxy(authority, {
    get(target, name, receiver) {
      if (name !== 'complete') {
        const member: unknown = Reflect.get(target, name, receiver)
        return typeof member === 'function' ? member.bind(target) : member
      }
      const complete: KeyStore['complete'] = (claim, completion) => target.complete(claim, {
        ...completion, reply: completion.reply.kind === 'kept' ? { kind: 'kept', reply: change(completion.reply.reply) } : completion.reply,
      })
      return complete
    },
  })
}

const SPLIT = 'a\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: 1'

const CASES: readonly (readonly [string, (reply: Reply) => Reply])[] = [
  ['CRLF in a value', (reply) => ({ ...reply, headers: [...reply.headers, 'X-A', SPLIT] })],
  ['NUL in a value', (reply) => ({ ...reply, headers: [...reply.headers, 'X-A', 'a\0b'] })],
  ['CRLF in a name', (reply) => ({ ...reply, headers: [...reply.headers, 'X-A\r\nX-Evil', '1'] })],
  ['an empty name', (reply) => ({ ...reply, headers: [...reply.headers, '', '1'] })],
  ['a status that is none', (reply) => ({ ...reply, status: 20 })],
]

for (const [what, change] of CASES) {
  test(`a stored reply with ${what} is said to be damaged, and nothing of it is sent`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'made', 'X-Good: 1'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: tampering(change) } })
    t.match(await sidecar.post('k1'), { status: 201 }, 'the first answer is the upstream\'s own')
    for (let i = 0; i < 2; i += 1) {
      const again = await sidecar.post('k1')
      t.match(again, { status: 500, problem: 'reply-damaged' })
      t.notMatch(JSON.stringify(again), /evil|x-good/i)
    }
    t.match(await sidecar.post('k2'), { status: 201 }, 'the process lives')
    t.equal(upstream.requests.length, 2, 'and nothing ran again')
  })
}

test('framing fields of a stored reply frame nothing', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'made'))
  const framed = tampering((reply) => ({ ...reply, headers: ['Transfer-Encoding', 'chunked', 'content-length', '1', 'Connection', 'X-A', 'X-A', '1'] }))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: framed } })
  await sidecar.post('k1')
  const again = await sidecar.post('k1')
  t.match(again, { status: 201, body: 'made', headers: { 'content-length': '4', 'x-a': '1', 'idempotent-replayed': 'true' } })
  t.equal(again.headers['transfer-encoding'], undefined)
})

test('a stored trailer with CRLF is said to be damaged to who would read it', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'made'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: tampering((reply) => ({ ...reply, trailers: ['X-A', SPLIT] })) } })
  await sidecar.post('k1')
  t.match(await sidecar.post('k1', { headers: ['Authorization', 'Bearer one', 'TE', 'trailers'] }), { status: 500, problem: 'reply-damaged' })
  t.match(await sidecar.post('k1'), { status: 201, body: 'made' }, 'others do not get trailers at all')
})

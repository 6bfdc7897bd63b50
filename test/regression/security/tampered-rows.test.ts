import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { test } from 'tap'
import { rawExchange } from '../../support/raw-client.ts'
import { respond, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { replaced } from '../../support/shared-store.ts'
import { startForTest } from '../../support/start-sidecar.ts'

const REQUEST = 'POST /v1/charges HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer one\r\nIdempotency-Key: k1\r\nConnection: close\r\nContent-Length: 12\r\n\r\n{"amount":1}'

const TAMPERED: readonly (readonly [what: string, status: number, headers: readonly string[]])[] = [
  ['a line break in a value', 200, ['X-A', '1\r\nSet-Cookie: evil=1']],
  ['a second reply in a value', 200, ['X-A', '1\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: 1']],
  ['a line break in a name', 200, ['X-A: 1\r\nSet-Cookie', 'evil=1']],
  ['a bare CR', 200, ['X-A', 'a\rSet-Cookie: evil=1']],
  ['a bare LF', 200, ['X-A', 'a\nSet-Cookie: evil=1']],
  ['a NUL', 200, ['X-A', 'a\0evil']],
  ['a character that becomes a line break in one byte', 200, ['X-A', 'a\u010d\u010aSet-Cookie: evil=1']],
  ['a space in a name', 200, ['X A evil', '1']],
  ['an empty name', 200, ['', 'evil']],
  ['a status that is none', 99, ['X-A', 'evil']],
  ['a status beyond all', 1000, ['X-A', 'evil']],
]

for (const [what, status, headers] of TAMPERED) {
  test(`a stored reply with ${what} is not emitted, and the process goes on`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: (authority) => replaced(authority, {
      claim: async (request, givenUp) => {
        const outcome = await authority.claim(request, givenUp)
        return outcome.kind === 'replay' ? { ...outcome, reply: { kind: 'kept', reply: { status, headers, body: Buffer.from('ok'), trailers: [] } } } : outcome
      },
    }) } })
    await sidecar.post('k1')
    for (let i = 0; i < 2; i += 1) {
      const received = await rawExchange(t, sidecar.address, REQUEST)
      t.notMatch(received, /evil/i)
      t.notMatch(received, /^HTTP\/1\.1 200/)
    }
    t.match(await sidecar.post('k2'), { status: 200, body: 'ok' })
    t.equal(upstream.requests.length, 2, 'and nothing was run again instead')
  })
}

test('a row that was edited on the disk is no answer: its checksum tells', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok', 'X-A: 1'))
  const dataDir = t.testdir()
  const before = await startForTest(t, upstream.origin, { yaml: '{}', dataDir })
  await before.post('k1')
  await before.stop()
  const database = new DatabaseSync(join(dataDir, 'onceward.db'))
  const { changes } = database.prepare(`UPDATE key_record SET headers = ?`).run(JSON.stringify(['X-A', '1\r\nX-Evil: 1']))
  database.close()
  t.equal(changes, 1)
  const after = await startForTest(t, upstream.origin, { yaml: '{}', dataDir })
  t.match(await after.post('k1'), { status: 503, problem: 'store-unavailable' })
  t.equal(upstream.requests.length, 1)
})

import { test } from 'tap'
import { judgeProbe, readProbe, renderProbe, type Probe, type ProbePolicy } from '../../src/core/probe.ts'
import type { Reply } from '../../src/core/reply.ts'
import { parseTemplate } from '../../src/core/template.ts'

const SEARCH: ProbePolicy = {
  target: parseTemplate('/v1/charges?key={key}') ?? [], headers: [{ name: 'X-Account', value: parseTemplate('{identity}') ?? [] }],
  expect: [{ pointer: ['data', '0', 'account'], value: parseTemplate('{identity}') ?? [] }],
  quietMs: 1000, timeoutMs: 1000, attempts: 3, credential: { name: 'authorization', value: 'Bearer of the probe' },
  found: { statuses: [200], pointer: ['data', '0'], value: null }, absent: { statuses: [200, 404], pointer: ['data', '0'], value: null }, reply: null, shape: 'shape',
}

const TEXT = renderProbe(SEARCH, { key: 'k', identity: 'acme', fields: [], body: new Uint8Array() }) ?? ''

function probe(): Probe {
  const read = readProbe(TEXT)
  if (read === undefined) throw new Error('what was written is read')
  return read
}

function reply(status: number, body: unknown, headers: readonly string[] = []): Reply {
  return { status, headers, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), trailers: [] }
}

test('what is stored of a question holds no credential, and is read as it was written', async (t) => {
  t.strictSame(probe(), { v: 1, shape: 'shape', target: '/v1/charges?key=k', fields: ['X-Account', 'acme'], expect: [['/data/0/account', 'acme']] })
  t.notMatch(TEXT, /Bearer/)
  for (const text of ['', '{', '[]', 'null', TEXT.replace('"v":1', '"v":2'), TEXT.replace('"/v1', '"v1'), TEXT.replace('"X-Account"', '7')]) t.equal(readProbe(text), undefined, text)
})

test('found is what is there and is about who asked', async (t) => {
  const answer = reply(200, { data: [{ account: 'acme', id: 'ch_1' }] })
  t.strictSame(judgeProbe(SEARCH, probe(), answer, false), { kind: 'found', reply: answer }, 'at any time')
  t.strictSame(judgeProbe(SEARCH, probe(), reply(200, { data: [{ account: 'other' }] }), true), { kind: 'unclear', why: 'somebody-else' })
  t.strictSame(judgeProbe(SEARCH, probe(), reply(200, { data: [{}] }), true), { kind: 'unclear', why: 'somebody-else' })
})

test('absent is what is not there where it would be, and only once nothing can come any more', async (t) => {
  t.strictSame(judgeProbe(SEARCH, probe(), reply(200, { data: [] }), true), { kind: 'absent' })
  t.strictSame(judgeProbe(SEARCH, probe(), reply(200, { data: [] }), false), { kind: 'unclear', why: 'too-early' })
  t.strictSame(judgeProbe({ ...SEARCH, absent: { statuses: [404], pointer: null, value: null } }, probe(), reply(404, 'whatever'), true), { kind: 'absent' })
})

test('everything else is unclear', async (t) => {
  const garbage = ['', 'not json', '<html>', '{"data":', 7, null, [], {}, { error: 'overloaded' }, { data: null }, { data: 'none' }, { data: { 0: null } , more: 1 }].slice(0, -1)
  for (const body of garbage) t.match(judgeProbe(SEARCH, probe(), reply(200, body), true), { kind: 'unclear', why: 'content' }, JSON.stringify(body))
  t.match(judgeProbe(SEARCH, probe(), reply(200, { data: [] }, ['Content-Encoding', 'gzip']), true), { kind: 'unclear' }, 'coded')
  for (const status of [201, 202, 301, 302, 400, 401, 403, 410, 500]) t.strictSame(judgeProbe(SEARCH, probe(), reply(status, { data: [] }), true), { kind: 'unclear', why: 'status' }, String(status))
  const both = { ...SEARCH, absent: { statuses: [200], pointer: null, value: null } }
  t.match(judgeProbe(both, probe(), reply(200, { data: [{ account: 'acme' }] }), true), { kind: 'unclear' }, 'both at once')
})

test('a sign may be a value, and a reply may be built of the answer', async (t) => {
  const state: ProbePolicy = {
    ...SEARCH, expect: [], found: { statuses: [200], pointer: ['state'], value: 'done' }, absent: { statuses: [200], pointer: ['count'], value: '0' },
    reply: { status: 201, contentType: 'application/json', body: { kind: 'pointer', pointer: ['charge'] } },
  }
  const asked = { ...probe(), expect: [] }
  const found = judgeProbe(state, asked, reply(200, { state: 'done', charge: { id: 1 } }), false)
  t.match(found, { kind: 'found', reply: { status: 201, headers: ['Content-Type', 'application/json'] } })
  t.equal(found.kind === 'found' && Buffer.from(found.reply.body).toString(), '{"id":1}')
  t.match(judgeProbe(state, asked, reply(200, { state: 'done' }), false), { kind: 'unclear' }, 'there is nothing to build it of')
  t.match(judgeProbe(state, asked, reply(200, { state: 'pending', count: 1 }), true), { kind: 'unclear' })
  t.match(judgeProbe(state, asked, reply(200, { count: 0 }), true), { kind: 'absent' })
  t.match(judgeProbe({ ...state, reply: { status: 204, contentType: 'text/plain', body: { kind: 'text', text: '' } } }, asked, reply(200, { state: 'done' }), false), { kind: 'found', reply: { status: 204 } })
})

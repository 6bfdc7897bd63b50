import { test } from 'tap'
import { readStoredRequest, storedFields, storedRequest, type StoredHead } from '../../src/core/stored-request.ts'

const HEAD: Omit<StoredHead, 'v'> = {
  id: 'i', operationRef: 'op_1', route: 'charge', key: 'k', identityName: null, retentionMs: 1000, method: 'POST', target: '/a?b=%20', fields: ['Host', 'a', 'X', '\xff\x80'],
  hop: { peer: '::1', trusted: false, secure: true, httpVersion: '1.0' },
}

test('a stored request is what it was, byte for byte', async (t) => {
  for (const body of [new Uint8Array(), Buffer.from([0, 255, 10, 13]), Buffer.alloc(100_000, 7)]) {
    const stored = readStoredRequest(storedRequest(HEAD, body))
    if (stored === undefined) throw new Error('not read')
    const { v, body: read, ...head } = stored
    t.equal(v, 1)
    t.strictSame(head, HEAD)
    t.ok(Buffer.from(body).equals(read))
  }
})

test('of the hop only what is true wherever it is sent from is kept', async (t) => {
  const payload = storedRequest({ ...HEAD, hop: { ...HEAD.hop, pseudonym: 'this-process' } as StoredHead['hop'] }, new Uint8Array())
  t.notMatch(Buffer.from(payload).toString(), /this-process/)
})

test('fields of the connection are not stored, nor what asked to be accepted; trace context is', async (t) => {
  t.strictSame(storedFields([
    'Host', 'a', 'Connection', 'keep-alive, X-Own', 'X-Own', '1', 'Keep-Alive', '5', 'TE', 'trailers', 'Transfer-Encoding', 'chunked', 'Proxy-Authorization', 'Basic x', 'Upgrade', 'h2c',
    'Content-Length', '3', 'Expect', '100-continue', 'Prefer', 'respond-async, return=minimal', 'Prefer', 'wait=3', 'traceparent', '00-1', 'Tracestate', 'a=b', 'Authorization', 'Bearer t',
  ]), ['Host', 'a', 'Prefer', 'return=minimal', 'traceparent', '00-1', 'Tracestate', 'a=b', 'Authorization', 'Bearer t'])
})

test('what another version wrote, or nobody, is not read', async (t) => {
  const head = (change: object, body = ''): Buffer => {
    const text = Buffer.from(JSON.stringify({ ...HEAD, v: 1, ...change }))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(text.length)
    return Buffer.concat([length, text, Buffer.from(body)])
  }
  t.ok(readStoredRequest(head({})))
  for (const change of [{ v: 2 }, { key: null }, { fields: ['a'] }, { fields: ['a', 1] }, { fields: 'ab' }, { hop: null }, { hop: { ...HEAD.hop, httpVersion: '2' } }, { hop: { ...HEAD.hop, trusted: 'yes' } }, { identityName: 1 }, { retentionMs: '1' }]) {
    t.equal(readStoredRequest(head(change)), undefined, JSON.stringify(change))
  }
  for (const bytes of [Buffer.alloc(0), Buffer.from([0, 0, 0]), Buffer.from([0, 0, 0, 9, 1]), Buffer.from([0, 0, 0, 1, 0x7b]), Buffer.from([0, 0, 0, 4, ...Buffer.from('null')]), Buffer.from([255, 255, 255, 255])]) {
    t.equal(readStoredRequest(bytes), undefined, bytes.toString('hex'))
  }
})

import { once } from 'node:events'
import { test, type Test } from 'tap'
import { request } from 'undici'
import type { Seams } from '../../src/compose.ts'
import type { LimitName } from '../../src/core/ports.ts'
import { rawConnection } from '../support/raw-connection.ts'
import { respond, scriptedUpstream, type ScriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest, type Running } from '../support/start-sidecar.ts'

/*
 * Each limit of docs/limits.md: the offender is told its status on the wire, and a keyed request that runs meanwhile
 * on another connection is answered as always.
 */

interface Scene {
  readonly sidecar: Running
  readonly upstream: ScriptedUpstream
  /** runs `offence` while a keyed request is at the upstream, and lets another one through beside it */
  readonly beside: (offence: () => Promise<void>) => Promise<void>
  /** how often the limit was reached */
  readonly reached: (limit: LimitName) => Promise<number>
}

async function scene(t: Test, yaml: string, seams: Seams = {}): Promise<Scene> {
  let arrived: () => void = () => undefined
  let letGo: () => void = () => undefined
  const upstream = await scriptedUpstream(t, ({ socket, request: seen }) => {
    if (!seen.startsWith('POST /held')) return respond(socket, 200, 'ok')
    letGo = () => respond(socket, 201, 'held')
    arrived()
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml, seams })
  let neighbours = 0
  return {
    sidecar, upstream,
    reached: (limit) => sidecar.metric(`onceward_limit_reached_total{limit="${limit}"}`),
    async beside(offence) {
      neighbours += 1
      const there = new Promise<void>((resolve) => { arrived = resolve })
      const neighbour = sidecar.post(`neighbour-${neighbours}`, { path: '/held' })
      await there
      await offence()
      t.match(await sidecar.post(`passer-by-${neighbours}`), { status: 200, body: 'ok' }, 'a keyed request beside it is answered')
      letGo()
      t.match(await neighbour, { status: 201, body: 'held' }, 'and the one that was under way, too')
      await settled(t, sidecar)
    },
  }
}

/** Every body that was held is let go in the end. */
async function settled(t: Test, sidecar: Running): Promise<void> {
  for (let i = 0; i < 500 && await sidecar.metric('onceward_held_body_bytes') !== 0; i += 1) await new Promise((resolve) => { setTimeout(resolve, 20) })
  t.equal(await sidecar.metric('onceward_held_body_bytes'), 0, 'no body is held any more')
}

function isProblem(t: Test, answer: string, status: number, code: string): void {
  t.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `))
  t.match(answer, `urn:onceward:problem:${code}`)
  t.match(answer, '"may_have_run":false')
}

const KEYED = 'POST /v1/charges HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer one\r\nIdempotency-Key: offender\r\n'
const GET = 'GET /v1/charges HTTP/1.1\r\nHost: a\r\n'

test('header_bytes: a header section above it is 431, whether our count or the parser stops it', async (t) => {
  const { sidecar, upstream, beside, reached } = await scene(t, 'limits: { header_bytes: 1KiB, target_bytes: 1KiB }')
  await beside(async () => {
    for (const [i, bytes] of [1100, 100_000].entries()) {
      const offender = await rawConnection(t, sidecar.address, `${GET}X-Large: ${'x'.repeat(bytes)}\r\n\r\n`)
      isProblem(t, await offender.answer(), 431, 'headers-too-large')
      t.equal(await reached('header_bytes'), i + 1)
    }
  })
  t.notMatch(upstream.requests.join(''), /x-large/i)
})

test('header_count: a field above it is 431, and up to it no field is dropped', async (t) => {
  const { sidecar, upstream, beside, reached } = await scene(t, 'limits: { header_count: 3000, header_bytes: 1MiB }')
  const fields = (count: number): string => Array.from({ length: count }, (_, i) => `X-Field: ${i}\r\n`).join('')
  await beside(async () => {
    const offender = await rawConnection(t, sidecar.address, `${KEYED}${fields(2998)}\r\n`)
    isProblem(t, await offender.answer(), 431, 'headers-too-large')
    t.equal(await reached('header_count'), 1)
    const within = await rawConnection(t, sidecar.address, `${KEYED}${fields(2997)}\r\n`)
    t.match(await within.answer(), /^HTTP\/1\.1 200 /)
  })
  t.equal(upstream.requests.find((seen) => seen.includes('offender'))?.match(/x-field: /gi)?.length, 2997, 'node would have kept 2000')
})

test('target_bytes: a path and query above it is 414, whether our count or the parser stops it', async (t) => {
  const { sidecar, upstream, beside, reached } = await scene(t, 'limits: { header_bytes: 1KiB, target_bytes: 1KiB }')
  await beside(async () => {
    for (const [i, bytes] of [1100, 50_000, 200_000].entries()) {
      const offender = await rawConnection(t, sidecar.address, `GET /long?${'x'.repeat(bytes)} HTTP/1.1\r\nHost: a\r\n\r\n`)
      isProblem(t, await offender.answer(), 414, 'target-too-long')
      t.equal(await reached('target_bytes'), i + 1)
    }
  })
  t.notMatch(upstream.requests.join(''), '/long')
})

test('request_body: a chunked body is 413 as soon as it is too large, long before its end', async (t) => {
  const { sidecar, beside, reached } = await scene(t, 'limits: { request_body: 1000B }')
  await beside(async () => {
    const offender = await rawConnection(t, sidecar.address, `${KEYED}Transfer-Encoding: chunked\r\n\r\n`)
    offender.socket.write(`3e8\r\n${'x'.repeat(1000)}\r\n`)
    offender.socket.write('1\r\nx\r\n')
    isProblem(t, await offender.answer(), 413, 'body-too-large')
    t.match(offender.received(), /^Connection: close\r$/m)
    t.equal(await reached('request_body'), 1)
  })
})

const MUCH = 20 << 20
const DEAF = [
  { what: 'a large body', head: `${KEYED}Content-Length: ${MUCH}\r\n\r\n`, status: 413, code: 'body-too-large' },
  { what: 'a large header', head: `${KEYED}X-Large: `, status: 431, code: 'headers-too-large' },
]
for (const { what, head, status, code } of DEAF) {
  test(`a client that sends all of ${what} before it reads gets its ${status} and no reset`, async (t) => {
    const { sidecar, beside } = await scene(t, 'limits: { request_body: 1000B }')
    await beside(async () => {
      const offender = await rawConnection(t, sidecar.address)
      offender.socket.pause()
      offender.socket.write(head)
      await new Promise<void>((resolve) => { offender.socket.write(Buffer.alloc(MUCH, 'x'), () => resolve()) })
      offender.socket.resume()
      isProblem(t, await offender.closed(), status, code)
    })
  })
}

test('a body in chunks of one byte arrives whole', async (t) => {
  const { sidecar, upstream, beside } = await scene(t, '{}')
  await beside(async () => {
    const size = 30_000
    const client = await rawConnection(t, sidecar.address, `${KEYED}Transfer-Encoding: chunked\r\n\r\n`)
    client.socket.write('1\r\nx\r\n'.repeat(size))
    client.socket.write('0\r\n\r\n')
    t.match(await client.answer(), /^HTTP\/1\.1 200 /)
    t.ok(upstream.requests.some((seen) => seen.endsWith(`\r\n\r\n${'x'.repeat(size)}`)))
  })
})

test('held_bodies: when the room is full a further body is 503, and leavers make room again', async (t) => {
  const { sidecar, beside, reached } = await scene(t, 'limits: { held_bodies: 4KiB, request_body: 2KiB, kept_reply: 1KiB }')
  await beside(async () => {
    const unfinished = `${KEYED.replace('offender', 'slow')}Content-Length: 2000\r\n\r\n${'x'.repeat(1900)}`
    const slow = [await rawConnection(t, sidecar.address, unfinished), await rawConnection(t, sidecar.address, unfinished)]
    while (await sidecar.metric('onceward_held_body_bytes') < 3800) await new Promise((resolve) => { setTimeout(resolve, 10) })
    const offender = await rawConnection(t, sidecar.address, `${KEYED}Content-Length: 500\r\n\r\n${'x'.repeat(500)}`)
    isProblem(t, await offender.answer(), 503, 'overloaded')
    t.match(offender.received(), /^Retry-After: 1\r$/m)
    t.equal(await reached('held_bodies'), 1)
    for (const { socket } of slow) socket.resetAndDestroy()
  })
})

test('header_time: half a head, or none at all, is 408 and the end of the connection', async (t) => {
  const { sidecar, upstream, beside, reached } = await scene(t, 'limits: { header_time: 500ms }')
  await beside(async () => {
    const half = await rawConnection(t, sidecar.address, `${KEYED}X-Ne`)
    const silent = await rawConnection(t, sidecar.address)
    isProblem(t, await half.closed(), 408, 'request-timeout')
    isProblem(t, await silent.closed(), 408, 'request-timeout')
    t.equal(await reached('header_time'), 2)
  })
  t.notMatch(upstream.requests.join(''), 'offender')
})

test('body_time: the body of a keyed request that comes byte by byte is 408 in total, and nothing has run', async (t) => {
  const { sidecar, upstream, beside, reached } = await scene(t, 'limits: { body_time: 300ms }')
  await beside(async () => {
    const offender = await rawConnection(t, sidecar.address, `${KEYED}Content-Length: 100000\r\n\r\n`)
    while (offender.received() === '') {
      offender.socket.write('x')
      await new Promise((resolve) => { setTimeout(resolve, 10) })
    }
    isProblem(t, await offender.answer(), 408, 'request-timeout')
    t.equal(await reached('body_time'), 1)
    offender.socket.destroy()
  })
  t.notMatch(upstream.requests.join(''), 'offender')
})

test('idle_time: a body that stops half way is 408, passed on or with a key', async (t) => {
  const { sidecar, upstream, beside, reached } = await scene(t, 'limits: { idle_time: 300ms }')
  await beside(async () => {
    const half = 'Content-Length: 1000\r\n\r\nhalf'
    const offenders = [await rawConnection(t, sidecar.address, `PUT /upload HTTP/1.1\r\nHost: a\r\n${half}`), await rawConnection(t, sidecar.address, KEYED + half)]
    for (const offender of offenders) isProblem(t, await offender.closed(), 408, 'request-timeout')
    t.equal(await reached('idle_time'), 2)
  })
  t.notMatch(upstream.requests.join(''), 'offender')
})

test('idle_time: a connection between two requests is closed without a word, and counted as nobody\'s fault', async (t) => {
  const { sidecar, beside, reached } = await scene(t, 'limits: { idle_time: 100ms }')
  await beside(async () => {
    const idle = await rawConnection(t, sidecar.address, `${GET}\r\n`)
    t.match(await idle.closed(), /^HTTP\/1\.1 200 .*ok$/s)
    t.equal(await reached('idle_time'), 0)
  })
})

test('idle_time: a client that does not read its reply loses its connection, and the upstream is let go', async (t) => {
  const { sidecar: { address }, released } = await endless(t)
  const offender = await rawConnection(t, address, `${GET}\r\n`)
  offender.socket.pause()
  await released
  t.pass('the upstream was let go')
})

test('idle_time: an upstream that is silent for longer is waited for', async (t) => {
  let answer: () => void = () => undefined
  let arrived: () => void = () => undefined
  const there = new Promise<void>((resolve) => { arrived = resolve })
  const upstream = await scriptedUpstream(t, ({ socket, request: seen }) => {
    if (!seen.startsWith('GET /poll')) return respond(socket, 200, 'ok')
    answer = () => respond(socket, 200, 'at last')
    arrived()
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'limits: { idle_time: 100ms }' })
  const patient = await rawConnection(t, sidecar.address, 'GET /poll HTTP/1.1\r\nHost: a\r\n\r\n')
  await there
  // A connection that fell silent after this one is closed before this one is answered.
  await (await rawConnection(t, sidecar.address, `${GET}\r\n`)).closed()
  answer()
  t.match(await patient.answer(), /^HTTP\/1\.1 200 .*at last$/s)
})

test('connections: one too many is 503 at its first request and closed; those that are open go on', async (t) => {
  const { sidecar, beside, reached } = await scene(t, 'limits: { connections: 3 }')
  await sidecar.post('before')
  await beside(async () => {
    await sidecar.post('another') // the neighbour has one connection, the passer-by another
    const third = await rawConnection(t, sidecar.address, `${GET}\r\n`)
    t.match(await third.answer(), /^HTTP\/1\.1 200 /)
    const offender = await rawConnection(t, sidecar.address, `${KEYED}Content-Length: 4\r\n\r\nbody`)
    isProblem(t, await offender.closed(), 503, 'overloaded')
    t.match(offender.received(), /^Retry-After: 1\r$/m)
    t.equal(await reached('connections'), 1)
    third.socket.destroy()
    await once(third.socket, 'close')
  })
})

test('connections: far above the limit node hangs up, and every connection that ended makes room', async (t) => {
  const { sidecar, beside, reached } = await scene(t, 'limits: { connections: 3 }')
  await sidecar.post('before')
  await beside(async () => {
    await sidecar.post('another')
    const crowd = await Promise.all(Array.from({ length: 200 }, () => rawConnection(t, sidecar.address)))
    while (await reached('connections') === 0) await new Promise((resolve) => { setTimeout(resolve, 10) })
    t.ok(await sidecar.metric('onceward_client_connections') <= 131)
    for (const { socket } of crowd) socket.destroy()
    while (await sidecar.metric('onceward_client_connections') > 2) await new Promise((resolve) => { setTimeout(resolve, 10) })
  })
})

test('event_loop_delay: what has no key is shed first, what has one past twice of it, operators never', async (t) => {
  let delayMs = 0
  const { sidecar, upstream, reached } = await scene(t, 'limits: { event_loop_delay: 100ms }', { loopDelay: { recentMs: () => delayMs } })
  const late = { status: 503, problem: 'overloaded', headers: { 'retry-after': '1' } }
  t.match(await sidecar.post(null, { method: 'GET' }), { status: 200 })
  delayMs = 101
  t.match(await sidecar.post(null, { method: 'GET' }), late)
  t.match(await sidecar.post(null), late)
  t.match(await sidecar.post('k1'), { status: 200 }, 'a keyed request still runs')
  delayMs = 201
  t.match(await sidecar.post('k1'), late)
  t.match(await sidecar.post('k2'), late)
  t.match((await request(`${sidecar.adminAddress}/healthz`)).statusCode, 200)
  t.equal(await reached('event_loop_delay'), 4)
  t.equal(await sidecar.metric('onceward_event_loop_delay_seconds'), 0.201)
  t.equal(await sidecar.metric('idempotency_key_total{outcome="unavailable",route="default"}'), 2)
  t.equal(upstream.requests.length, 2)
  delayMs = 0
  t.match(await sidecar.post('k1'), { status: 200, headers: { 'idempotent-replayed': 'true' } })
  t.match(await sidecar.post(null, { method: 'GET' }), { status: 200 })
})

test('pipelined requests run one at a time, in their order, however many come in one packet', async (t) => {
  let atOnce = 0
  let most = 0
  const upstream = await scriptedUpstream(t, ({ socket, request: seen }) => {
    most = Math.max(most, atOnce += 1)
    setImmediate(() => {
      atOnce -= 1
      respond(socket, 200, /idempotency-key: (\S+)/i.exec(seen)?.[1] ?? '')
    })
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const keys = Array.from({ length: 200 }, (_, i) => `k${i}`)
  const client = await rawConnection(t, sidecar.address, keys.map((key, i) => `${KEYED.replace('offender', key)}${i === keys.length - 1 ? 'Connection: close\r\n' : ''}Content-Length: 1\r\n\r\nx`).join(''))
  t.strictSame([...(await client.closed()).matchAll(/\r\n\r\n(k\d+)/g)].map((match) => match[1]), keys)
  t.equal(most, 1)
  t.equal(upstream.requests.length, keys.length)
})

test('what is pipelined behind an answer that closes the connection never begins', async (t) => {
  const { sidecar, upstream, beside } = await scene(t, 'limits: { request_body: 1000B }')
  await beside(async () => {
    const behind = `${KEYED.replace('offender', 'behind')}Content-Length: 1\r\n\r\nx`
    const offender = await rawConnection(t, sidecar.address, `${KEYED}Content-Length: 2000\r\n\r\n${'x'.repeat(2000)}${behind}`)
    isProblem(t, await offender.closed(), 413, 'body-too-large')
  })
  t.notMatch(upstream.requests.join(''), /offender|behind/)
})

test('nonsense behind a request that runs gets no answer that could be taken for its own', async (t) => {
  const { sidecar, beside } = await scene(t, '{}')
  await beside(async () => {
    const offender = await rawConnection(t, sidecar.address, `${KEYED.replace('/v1/charges', '/held')}Content-Length: 1\r\n\r\nxNONSENSE\r\n\r\n`)
    t.equal(await offender.closed(), '', 'closed without a word, because its first request may be running')
  })
})

test('a flood of trailers is 431 and one of chunk extensions 413, and nothing has run', async (t) => {
  const { sidecar, upstream, beside } = await scene(t, '{}')
  await beside(async () => {
    const trailers = await rawConnection(t, sidecar.address, `${KEYED}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n${'X-Trailer: 1\r\n'.repeat(5000)}`)
    isProblem(t, await trailers.closed(), 431, 'headers-too-large')
    const extensions = await rawConnection(t, sidecar.address, `${KEYED}Transfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(20_000)}`)
    isProblem(t, await extensions.closed(), 413, 'body-too-large')
  })
  t.notMatch(upstream.requests.join(''), 'offender')
})

test('after any mix of offenders nothing is held, and nothing of theirs has run', async (t) => {
  const { sidecar, upstream, beside } = await scene(t, 'limits: { request_body: 4KiB, held_bodies: 16KiB, kept_reply: 4KiB, body_time: 200ms, idle_time: 400ms, header_time: 300ms }')
  await beside(async () => {
    const half = 'Content-Length: 3000\r\n\r\n' + 'x'.repeat(1000)
    const offences = [half, 'Content-Length: 9999\r\n\r\nx', `Transfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(5000)}`, 'Transfer-Encoding: chunked\r\n\r\nzz\r\n', 'X-Half: ']
    await Promise.all(Array.from({ length: 60 }, async (_, i) => {
      const offender = await rawConnection(t, sidecar.address, `${KEYED}${offences[i % offences.length]}`)
      offender.socket.on('error', () => undefined)
      if (i % 3 === 0) offender.socket.resetAndDestroy()
      else if (i % 3 === 1) offender.socket.end()
      await offender.closed().catch(() => undefined)
    }))
  })
  t.notMatch(upstream.requests.join(''), 'offender')
})

/** A sidecar before an upstream whose reply never ends. */
async function endless(t: Test): Promise<{ readonly sidecar: Running, readonly released: Promise<void> }> {
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => { release = resolve })
  const upstream = await scriptedUpstream(t, ({ socket }) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
    }
    socket.on('drain', more).on('close', release)
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    more()
  })
  return { sidecar: await startForTest(t, upstream.origin, { yaml: 'limits: { idle_time: 300ms }' }), released }
}

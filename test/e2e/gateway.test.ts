import { connect } from 'node:net'
import { test, type Test } from 'tap'
import { RawUpstream } from '../support/raw-upstream.ts'
import { startForTest, type Running } from '../support/start-sidecar.ts'
import { FRAMING } from './gateway/framing.ts'
import { HEADER_FORWARDING } from './gateway/header-forwarding.ts'
import { INTERACTION } from './gateway/interaction.ts'
import { PROXY_STATUS } from './gateway/proxy-status.ts'
import { ROUTING } from './gateway/routing-fields.ts'
import { NOBODY_UPSTREAM, type Row, type Sight, type Step } from './gateway/row.ts'
import { STATUS_CODES } from './gateway/status-codes.ts'

/*
 * The duties of an HTTP gateway, rule by rule, over bare sockets on both sides. Rows are data in ./gateway; a rule
 * that is not followed has a row that says why and shows what happens instead.
 */

const ROWS: readonly Row[] = [...HEADER_FORWARDING, ...ROUTING, ...FRAMING, ...INTERACTION, ...STATUS_CODES, ...PROXY_STATUS]

/** A row's bytes come at once or not at all; this only ends a wait that would be for ever. */
const GIVE_UP_MS = 10_000

for (const [yaml, rows] of Map.groupBy(ROWS, (row) => row.yaml)) {
  test(`under ${JSON.stringify(yaml)}`, async (t) => {
    const upstream = await RawUpstream.open(t)
    const sidecar = await startForTest(t, yaml.includes(NOBODY_UPSTREAM) ? 'http://127.0.0.1:1' : upstream.origin, { yaml })
    const pseudonym = await ourPseudonym(sidecar, upstream)
    const origin = new URL(upstream.origin).host
    for (const [i, row] of rows.entries()) {
      await t.test(`${row.id}: ${row.rule}`, async (t) => {
        if (row.notFollowed !== null) t.comment(`not followed: ${row.notFollowed}`)
        for (const step of row.steps) await take(t, step, { sidecar, upstream, names: { '{key}': `k${i}`, '{pseudonym}': pseudonym, '{upstream}': origin } })
      })
    }
  })
}

test('every rule has a row, and no two rows one name', async (t) => {
  t.equal(new Set(ROWS.map(({ id }) => id)).size, ROWS.length)
  for (const section of ['5.1', '5.2', '5.3', '5.4', '5.5']) t.ok(ROWS.some(({ id }) => id.startsWith(`${section} `)), section)
  t.comment(`${ROWS.length} rows, ${ROWS.filter(({ notFollowed }) => notFollowed !== null).length} of them for rules that are not followed`)
})

interface Stage {
  readonly sidecar: Running
  readonly upstream: RawUpstream
  readonly names: Readonly<Record<string, string>>
}

async function take(t: Test, step: Step, { sidecar, upstream, names }: Stage): Promise<void> {
  const whole = upstream.start(step.play ?? { bytes: '', then: 'wait' })
  const back = await exchange(sidecar, named(step.sends, names), step, whole)
  compare(t, 'back', back, step.back, names)
  if (step.upstream === 'nothing') t.equal(upstream.received, '', 'nothing reached the upstream')
  else compare(t, 'upstream', upstream.received, step.upstream, names)
}

/** Everything that comes back, until the replies are whole or the connection ends. */
function exchange(sidecar: Running, bytes: string, step: Step, whole: Promise<void>): Promise<string> {
  const { hostname, port } = new URL(sidecar.address)
  return new Promise((resolve, reject) => {
    let back = ''
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true })
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no end came; so far: ${JSON.stringify(back)}`))
    }, GIVE_UP_MS)
    socket.on('data', (chunk) => {
      back += chunk.toString('latin1')
      if (step.ends !== true && wholeReplies(back, bytes.startsWith('HEAD')) >= (step.replies ?? 1)) socket.destroy()
    })
    socket.on('error', () => undefined)
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(back)
    })
    socket.write(bytes, 'latin1')
    if (step.halfCloses === true) socket.end()
    if (step.leaves === true) void whole.then(() => socket.resetAndDestroy())
  })
}

/** Final replies that are whole by their framing; one that ends with its connection never is. */
function wholeReplies(bytes: string, toHead: boolean): number {
  let count = 0
  for (let rest = bytes; ;) {
    const head = rest.indexOf('\r\n\r\n')
    if (head === -1) return count
    const fields = rest.slice(0, head)
    const status = Number(fields.slice(9, 12))
    const body = rest.slice(head + 4)
    const interim = status >= 100 && status < 200
    let end = 0
    if (!interim && !toHead && status !== 204 && status !== 304) {
      const chunks = /^transfer-encoding: chunked/im.test(fields) ? /(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(body) : null
      const length = /^content-length: (\d+)/im.exec(fields)?.[1]
      if (chunks === null && length === undefined) return count
      end = chunks === null ? Number(length) : chunks.index + chunks[0].length
    }
    if (body.length < end) return count
    if (!interim) count += 1
    rest = body.slice(end)
  }
}

function compare(t: Test, side: string, bytes: string, { has, lacks = [] }: Sight, names: Stage['names']): void {
  for (const part of has) {
    const found = part instanceof RegExp ? part.test(bytes) : bytes.includes(named(part, names))
    t.ok(found, `${side} has ${JSON.stringify(String(part))}`, { bytes })
  }
  for (const part of lacks) {
    const found = part instanceof RegExp ? part.test(bytes) : bytes.toLowerCase().includes(named(part, names).toLowerCase())
    t.notOk(found, `${side} lacks ${JSON.stringify(String(part))}`, { bytes })
  }
}

function named(text: string, names: Stage['names']): string {
  return text.replace(/\{(key|pseudonym|upstream)\}/g, (name) => names[name] ?? name)
}

/** Our name in Via, as an upstream gets to know it. */
async function ourPseudonym(sidecar: Running, upstream: RawUpstream): Promise<string> {
  void upstream.start({ bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', then: 'wait' })
  await exchange(sidecar, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', { sends: '', upstream: 'nothing', back: { has: [] } }, Promise.resolve())
  return /^via: 1\.1 (\S+)/im.exec(upstream.received)?.[1] ?? ''
}

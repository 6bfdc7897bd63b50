import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { HOSTILE_REPLIES } from '../../support/hostile-replies.ts'
import { rawExchange } from '../../support/raw-client.ts'
import { respond, scriptedUpstream, type ScriptedUpstream } from '../../support/scripted-upstream.ts'
import { SidecarProcess } from '../../support/sidecar-process.ts'
import { send, startForTest } from '../../support/start-sidecar.ts'

/** Behaves as its path says: `/12` is the twelfth behaviour, anything else is answered. */
async function hostileUpstream(t: Test): Promise<ScriptedUpstream> {
  return await scriptedUpstream(t, ({ socket, request }) => {
    const behaviour = HOSTILE_REPLIES[Number(/^\w+ \/(\d+) /.exec(request)?.[1] ?? -1)]
    if (behaviour === undefined) respond(socket, 200, 'fine')
    else behaviour.reply(socket)
  })
}

test('a reply that was cut, late or garbled is never stored as an answer', async (t) => {
  const upstream = await hostileUpstream(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  for (const [nth, { name, proves }] of HOSTILE_REPLIES.entries()) {
    const before = upstream.requests.length
    const first = await sidecar.post(`k${nth}`, { path: `/${nth}` })
    const again = await sidecar.post(`k${nth}`, { path: `/${nth}` })
    const found = { first: seen(first.problem), again: seen(again.problem), executions: upstream.requests.length - before }
    if (proves === 'either') t.match(found, { first: found.again, executions: 1 }, name)
    else t.same(found, { first: proves, again: proves, executions: 1 }, name)
    if (again.problem === null) t.match(again, { status: first.status, body: first.body, headers: { 'idempotent-replayed': 'true' } }, name)
    t.notMatch(first.body + again.body, /half|poison|frames/, name)
  }
  t.comment(`${HOSTILE_REPLIES.length} behaviours`)
})

test('after every behaviour, on guarded and on passing requests, the same process answers', async (t) => {
  const upstream = await hostileUpstream(t)
  const dataDir = mkdtempSync(join(tmpdir(), 'onceward-hostile-'))
  const sidecar = new SidecarProcess({ upstream: upstream.origin, dataDir })
  t.teardown(async () => {
    await sidecar.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
  await sidecar.start()
  const { pid } = sidecar
  for (const [nth, behaviour] of HOSTILE_REPLIES.entries()) {
    await Promise.all(['guarded', 'passing'].map((way) => meet(t, sidecar.origin, way, nth)))
    t.match(await send(sidecar.origin, `after-${nth}`), { status: 200, body: 'fine' }, behaviour.name)
    t.match(await send(sidecar.origin, null, { method: 'GET' }), { status: 200, body: 'fine' }, behaviour.name)
  }
  t.equal(sidecar.pid, pid)
  t.match(await (await fetch(`${sidecar.adminOrigin}/readyz`)).json(), { ready: true })
  t.equal(await sidecar.stop(), 0, 'and it drains and ends as it should')
})

function seen(problem: string | null): string {
  return problem === null ? 'answer' : problem === 'outcome-unknown' ? 'doubt' : problem
}

/** Whatever comes of it: a client may get an error, half a reply or none. */
async function meet(t: Test, origin: string, way: string, nth: number): Promise<void> {
  const key = way === 'guarded' ? `Idempotency-Key: k${nth}\r\n` : ''
  const lead = `POST /${nth} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer one\r\nConnection: close\r\n${key}`
  await rawExchange(t, origin, `${lead}Content-Length: 2\r\n\r\nhi`)
}

import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type Test } from 'tap'
import { parseArguments } from '../../src/cli/arguments.ts'
import { keys } from '../../src/cli/keys.ts'
import { EXIT } from '../../src/cli/output.ts'
import { systemClock } from '../../src/host/clock.ts'
import { openEmbeddedStore, openEmbeddedStores } from '../../src/store/sqlite/key-store.ts'
import { begun, completion, HeldClock, OWNER, request, work } from '../contract/situation.ts'
import { run } from '../support/run-onceward.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest, type Running } from '../support/start-sidecar.ts'

const YAML = `
routes:
  - { name: hooks, match: { method: POST, path: /hooks }, idempotency: { key_from: { header: webhook-id } } }
  - { name: events, match: { method: POST, path: /events }, idempotency: { key: required, key_from: { pointer: /id } } }
defaults: { idempotency: { lease: 3s } }
`

const EVENTFUL = `
sinks: { payments: { webhook: { url: { plain_http: "http://127.0.0.1:9" } }, attempts: 1000 } }
routes: [{ name: charges, match: { path: /v1/charges }, outbox: { sink: payments, type: charge.created, data: { id: "{reply:/id}", amount: "{body:/amount}" } } }]
`

/** A sidecar's data folder after `work`, with the sidecar gone; the upstream cuts every connection whose request says so. */
async function leftBy(t: Test, work: (sidecar: Running) => Promise<unknown>): Promise<Desk> {
  const upstream = await scriptedUpstream(t, ({ socket, request, number }) => {
    if (request.includes('cut me off')) socket.resetAndDestroy()
    else respond(socket, 201, `reply ${number}`, 'Content-Type: text/plain', 'X-Secret: header-secret')
  })
  const folder = t.testdir({ 'onceward.yaml': YAML, data: {} })
  const dataDir = join(folder, 'data')
  const desk: Desk = {
    folder,
    again: () => startForTest(t, upstream.origin, { yaml: YAML, dataDir }),
    requests: () => upstream.requests.length,
    ask: askIn(folder),
  }
  const sidecar = await desk.again()
  await work(sidecar)
  await sidecar.stop()
  return desk
}

/** An operator at the keys of this folder. */
function askIn(folder: string): Desk['ask'] {
  return async (...words) => {
    const command = parseArguments(['keys', ...words, '--config', join(folder, 'onceward.yaml'), '--data-dir', join(folder, 'data')])
    if (command.kind !== 'keys') throw new Error(JSON.stringify(command))
    const [lines, complaints]: [string[], string[]] = [[], []]
    const code = await keys(command.command, command.flags, {}, { line: (text) => void lines.push(text), complaint: (text) => void complaints.push(text) })
    return { code, said: lines.join('\n'), complained: complaints.join('\n') }
  }
}

interface Desk {
  readonly folder: string
  again(): Promise<Running>
  requests(): number
  ask(...words: string[]): Promise<{ readonly code: number, readonly said: string, readonly complained: string }>
}

const CUT = { body: '{"say":"cut me off"}' }
const BECAUSE = ['--reason', 'ticket 7', '--by', 'ada']

test('a doubt is listed, resolved with the reply that was found, and replayed', async (t) => {
  const desk = await leftBy(t, async (sidecar) => t.match(await sidecar.post('k1', CUT), { problem: 'outcome-unknown' }))
  const { said } = await desk.ask('list', '--state', 'uncertain')
  t.match(said, /^OPERATION +STATE +CREATED +ROUTE +ATTEMPTS +WHAT\nop_\S+ +uncertain +\S+Z +default +1 +connection-lost, in doubt since \S+Z \(\d+s\)$/)
  writeFileSync(join(desk.folder, 'reply.json'), '{"found":true}')
  const operation = /op_\S+/.exec(said)?.[0] ?? ''
  const resolved = await desk.ask('resolve', '--operation', operation, '--as', 'completed', '--status', '202', '--body-file', join(desk.folder, 'reply.json'), '-H', 'Content-Type: application/json', '-H', 'Content-Length: 999', ...BECAUSE)
  t.match(resolved, { code: EXIT.ok, said: `${operation}: completed with status 202` })
  t.match(await desk.ask('list', '--state', 'uncertain'), { code: EXIT.ok, said: 'no key is uncertain' })
  const sidecar = await desk.again()
  t.match(await sidecar.post('k1', CUT), { status: 202, body: '{"found":true}', headers: { 'idempotent-replayed': 'true', 'content-type': 'application/json', 'content-length': '14' } })
  t.equal(desk.requests(), 1)
  await sidecar.stop()
  t.match(await desk.ask('resolve', '--operation', operation, '--as', 'not-executed', ...BECAUSE), { code: EXIT.refused, complained: /is completed; there is no doubt to resolve/ })
})

test('a doubt that never ran is free again, and one whose reply is lost is completed without it', async (t) => {
  const desk = await leftBy(t, async (sidecar) => { for (const key of ['k1', 'k2']) await sidecar.post(key, CUT) })
  t.match(await desk.ask('resolve', '--key', 'k1', '--as', 'not-executed', ...BECAUSE), { code: EXIT.ok, said: /not executed, so the key is free/ })
  t.match(await desk.ask('resolve', '--key', 'k2', '--as', 'completed', '--status', '201', ...BECAUSE), { code: EXIT.ok })
  const sidecar = await desk.again()
  t.match(await sidecar.post('k1'), { status: 201, body: 'reply 3' }, 'another request is no mismatch: nothing is known of the key')
  t.match(await sidecar.post('k2', CUT), { status: 409, problem: 'reply-not-kept' })
})

test('while a sidecar has the file nothing is done, and it is said who has it', async (t) => {
  const folder = t.testdir({ data: {} })
  const place = ['--data-dir', join(folder, 'data')]
  const sidecar = run(t, ['--upstream', 'http://127.0.0.1:1', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...place])
  await sidecar.ready
  t.match(await run(t, ['keys', 'list', '--state', 'in_flight', ...place]).ended, { code: EXIT.unavailable, output: /onceward\.db is in use by process \d+; an embedded store belongs to one process/ })
})

test('a lease that its process left behind is a doubt that can be resolved at once; one that runs is left alone', async (t) => {
  const desk = await leftBy(t, async () => undefined)
  const dataDir = join(desk.folder, 'data')
  const [ended, running] = [request('ended', '1'), request('running', '1', { leaseMs: 3_600_000 })]
  for (const [wish, clock] of [[ended, new HeldClock()], [running, systemClock()]] as const) {
    const store = await openEmbeddedStore({ dataDir, clock })
    await store.claim(wish)
    await store.close()
  }
  t.match((await desk.ask('list', '--state', 'in_flight')).said.split('\n').length, 3)
  const wish = ['--as', 'not-executed', '--reason', 'r']
  t.match(await desk.ask('resolve', '--operation', running.operationRef, ...wish), { code: EXIT.refused, complained: /is being worked on, at least until \d{4}-/ })
  t.match(await desk.ask('forget', '--operation', running.operationRef, '--reason', 'r'), { code: EXIT.refused, complained: /once its lease has ended/ })
  t.match(await desk.ask('resolve', '--operation', ended.operationRef, ...wish), { code: EXIT.ok, said: /not executed/ })
  const { said } = await desk.ask('audit')
  t.match(said, new RegExp(` resolve +${ended.operationRef} +uncertain +${userInfo().username} +r$`))
})

test('accepted requests are listed while they wait, resolved to wait again, and forgotten with what would execute them; nobody reads whose they are', async (t) => {
  const desk = await leftBy(t, async () => undefined)
  const dataDir = join(desk.folder, 'data')
  const [waiting, doubtful, done] = [request('waiting', '1'), request('doubtful', '1'), request('done', '1')]
  const stores = await openEmbeddedStores({ dataDir, clock: systemClock() })
  for (const wish of [waiting, doubtful, done]) await stores.keys.accept(wish, work(wish))
  await stores.keys.abandon(await begun(stores.keys, doubtful, '2'), 'connection-lost', 1)
  await stores.keys.complete(await begun(stores.keys, done, '2'), completion('done'))
  await stores.keys.close()
  const list = await desk.ask('list', '--state', 'accepted')
  t.match(list, { code: EXIT.ok, said: new RegExp(`^OPERATION.*\\n${waiting.operationRef} +accepted +\\S+Z +create-charge +0 +waits to be executed since \\S+Z$`) })
  const got = await desk.ask('get', '--operation', waiting.operationRef, '--json')
  t.match(JSON.parse(got.said), [{ operation: waiting.operationRef, state: 'accepted', accepted_at: /^\d{4}-.*Z$/, fence: 1 }])
  for (const { said } of [list, got, await desk.ask('get', '--operation', done.operationRef, '--json')]) t.notOk(said.includes(OWNER))
  const wish = ['--as', 'not-executed', ...BECAUSE]
  t.match(await desk.ask('resolve', '--operation', waiting.operationRef, ...wish), { code: EXIT.refused, complained: /was accepted and waits to be executed; there is no doubt to resolve/ })
  t.match(await desk.ask('resolve', '--operation', doubtful.operationRef, ...wish), { code: EXIT.ok, said: /not executed, so it waits again; if it is a dead letter, redrive it/ })
  t.equal((await desk.ask('list', '--state', 'accepted')).said.split('\n').length, 3)
  t.match(await desk.ask('evict', '--operation', waiting.operationRef, ...BECAUSE), { code: EXIT.refused, complained: /is accepted: only a completed key has a reply/ })
  t.match(await desk.ask('forget', '--operation', waiting.operationRef, ...BECAUSE), { code: EXIT.ok, said: /the next request with it runs, and what was accepted does not/ })
  t.match((await desk.ask('audit')).said, new RegExp(` forget +${waiting.operationRef} +accepted +ada +ticket 7$`, 'm'))
  t.notOk((await desk.ask('list', '--state', 'accepted')).said.includes(waiting.operationRef))
})

test('an evicted reply is not given any more, and a forgotten key runs', async (t) => {
  const desk = await leftBy(t, async (sidecar) => { for (const key of ['k1', 'k2']) await sidecar.post(key) })
  t.match(await desk.ask('evict', '--key', 'k1', ...BECAUSE), { code: EXIT.ok, said: /its reply is gone, and it stays completed/ })
  t.match(await desk.ask('forget', '--key', 'k2', ...BECAUSE), { code: EXIT.ok, said: /the next request with it runs/ })
  t.match(await desk.ask('get', '--key', 'k1'), { code: EXIT.ok, said: /status 201, body not kept$/ })
  t.match(await desk.ask('get', '--key', 'k2'), { code: EXIT.refused, complained: 'onceward: nobody has sent this key, or its retention has ended' })
  const sidecar = await desk.again()
  t.match(await sidecar.post('k1'), { status: 409, problem: 'reply-not-kept' })
  t.match(await sidecar.post('k2'), { status: 201, body: 'reply 3' })
})

test('only a completed key is evicted', async (t) => {
  const desk = await leftBy(t, async (sidecar) => sidecar.post('k1', CUT))
  t.match(await desk.ask('evict', '--key', 'k1', ...BECAUSE), { code: EXIT.refused, said: '', complained: /op_\S+ is uncertain: only a completed key has a reply/ })
  t.match(await desk.ask('audit'), { code: EXIT.ok, said: 'nothing was changed here' })
})

test('every change is audited, the newest first', async (t) => {
  const desk = await leftBy(t, async (sidecar) => {
    for (const key of ['k1', 'k2']) await sidecar.post(key)
    await sidecar.post('k3', CUT)
  })
  await desk.ask('evict', '--key', 'k1', '--by', 'ada', '--reason', 'erasure\u001b[31m, Mr. X')
  await desk.ask('forget', '--key', 'k2', '--by', 'grace', '--reason', 'second')
  await desk.ask('resolve', '--key', 'k3', '--as', 'not-executed', '--by', 'ada', '--reason', 'third')
  const { said } = await desk.ask('audit')
  t.match(said.split('\n').slice(1), [/Z {2}resolve {2}op_\S+ {2}uncertain {2}ada {4}third$/, /Z {2}forget +op_\S+ {2}completed {2}grace {2}second$/, /Z {2}evict +op_\S+ {2}completed {2}ada +erasure \[31m, Mr. X$/])
  const entries: unknown = JSON.parse((await desk.ask('audit', '--limit', '1', '--json')).said)
  t.match(entries, [{ verb: 'resolve', before: 'uncertain', by: 'ada', reason: 'third', at: /Z$/, operation: /^op_/, id: /^.{43}$/ }])
})

test('a key that several clients have sent is looked up for all of them, and changed only by its operation', async (t) => {
  const desk = await leftBy(t, async (sidecar) => { for (const who of ['one', 'two']) await sidecar.post('shared', { headers: ['Authorization', `Bearer ${who}`] }) })
  const both: unknown = JSON.parse((await desk.ask('get', '--key', 'shared', '--json')).said)
  t.match(both, [{ operation: /^op_/, state: 'completed', status: 201, body_kept: true, body_bytes: 7, route: 'default', attempts: 1 }, { operation: /^op_/ }])
  const refused = await desk.ask('forget', '--key', 'shared', ...BECAUSE)
  t.match(refused, { code: EXIT.refused, complained: /^onceward: 2 clients have sent this key; take --operation to say which one is meant:\nOPERATION/ })
  const operation = /op_\S+/.exec(refused.complained)?.[0] ?? ''
  t.match(await desk.ask('forget', '--operation', operation, ...BECAUSE), { code: EXIT.ok })
  t.equal((await desk.ask('get', '--key', 'shared')).said.split('\n').length, 2, 'a head, and the other one')
})

test('a key is found wherever its route has it, quoted or bare', async (t) => {
  const desk = await leftBy(t, async (sidecar) => {
    await sidecar.post(null, { path: '/hooks', headers: ['Authorization', 'Bearer one', 'Webhook-Id', 'msg_1'] })
    await sidecar.post(null, { path: '/events', body: '{"id":"evt-1"}' })
    await sidecar.post(null, { path: '/events', body: '{"id":42}' })
    await sidecar.post('"quoted"')
  })
  for (const [key, route] of [['msg_1', 'hooks'], ['evt-1', 'events'], ['42', 'events'], ['quoted', 'default'], ['"quoted"', 'default']] as const) {
    t.match((await desk.ask('get', '--key', key)).said, new RegExp(` ${route} `), key)
  }
})

test('nothing of a reply is ever shown; its body is written to a new file that is asked for', async (t) => {
  const desk = await leftBy(t, async (sidecar) => sidecar.post('key-secret', { body: 'body-secret' }))
  for (const more of [[], ['--json']]) {
    const { said, complained } = await desk.ask('get', '--key', 'key-secret', ...more)
    t.notMatch(said + complained, /secret|reply 1/)
  }
  const file = join(desk.folder, 'body')
  t.match(await desk.ask('get', '--key', 'key-secret', '--body-file', file), { code: EXIT.ok })
  t.equal(readFileSync(file, 'utf8'), 'reply 1')
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.match(await desk.ask('get', '--key', 'key-secret', '--body-file', file), { code: EXIT.refused, complained: /cannot be written to .*: EEXIST/ })
  await desk.ask('evict', '--key', 'key-secret', ...BECAUSE)
  t.match(await desk.ask('get', '--key', 'key-secret', '--body-file', join(desk.folder, 'other')), { code: EXIT.refused, complained: /has no stored body/ })
})

test('a reply that is too large or cannot be read resolves nothing', async (t) => {
  const desk = await leftBy(t, async (sidecar) => sidecar.post('k1', CUT))
  const file = join(desk.folder, 'large')
  writeFileSync(file, Buffer.alloc(1024 * 1024 + 1))
  const resolve = ['resolve', '--key', 'k1', '--as', 'completed', '--status', '200', ...BECAUSE, '--body-file']
  t.match(await desk.ask(...resolve, file), { code: EXIT.refused, complained: /limits\.kept_reply/ })
  t.match(await desk.ask(...resolve, join(desk.folder, 'missing')), { code: EXIT.refused, complained: /ENOENT/ })
  t.match((await desk.ask('list', '--state', 'uncertain')).said, /connection-lost/)
})

test('a list says that there is more', async (t) => {
  const desk = await leftBy(t, async (sidecar) => { for (const key of ['k1', 'k2', 'k3']) await sidecar.post(key, CUT) })
  t.match(await desk.ask('list', '--state', 'uncertain', '--limit', '2'), { code: EXIT.ok, complained: /more than these 2/ })
  t.match(await desk.ask('list', '--state', 'uncertain', '--limit', '3'), { complained: '' })
})

test('a store that is not there is not begun, and a wrong configuration is told', async (t) => {
  const folder = t.testdir({ 'bad.yaml': 'stroe: {}\n' })
  const empty = await run(t, ['keys', 'list', '--state', 'uncertain', '--data-dir', join(folder, 'nowhere')]).ended
  t.match(empty, { code: EXIT.unavailable, output: /there is no key store at .*nowhere/ })
  t.throws(() => statSync(join(folder, 'nowhere')), { code: 'ENOENT' })
  t.match(await run(t, ['keys', 'audit', '--config', join(folder, 'bad.yaml')]).ended, { code: EXIT.config, output: /stroe/ })
  t.match(await run(t, ['keys', '--help']).ended, { code: EXIT.ok, output: /^Usage: onceward keys get/ })
  t.match(await run(t, ['keys', 'forget', '--key', 'a']).ended, { code: EXIT.usage, output: /--reason TEXT/ })
})

test('a doubt that an operator completes brings the events that its request asked for', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => socket.resetAndDestroy())
  const folder = t.testdir({ 'onceward.yaml': EVENTFUL, 'reply.json': '{"id":"ch_1"}', data: {} })
  const dataDir = join(folder, 'data')
  const sidecar = await startForTest(t, upstream.origin, { yaml: EVENTFUL, dataDir })
  for (const key of ['k1', 'k2', 'k3', 'k4']) t.match(await sidecar.post(key), { problem: 'outcome-unknown' })
  await sidecar.stop()
  const ask = askIn(folder)
  const completed = ['--as', 'completed', '--status', '201', ...BECAUSE]
  t.match(await ask('resolve', '--key', 'k1', ...completed, '--body-file', join(folder, 'reply.json'), '-H', 'Content-Type: application/json'), { code: EXIT.ok, complained: '' })
  t.match(await ask('resolve', '--key', 'k2', ...completed), { code: EXIT.ok, complained: /^its event evt_op_\S+ for payments could not be built, and is a dead letter: data\.id: \{reply:\/id\}: the body of the reply was not kept$/ })
  t.match(await ask('resolve', '--key', 'k3', '--as', 'completed', '--status', '409', ...BECAUSE), { code: EXIT.ok, complained: '' })
  t.match(await ask('resolve', '--key', 'k4', '--as', 'not-executed', ...BECAUSE), { code: EXIT.ok })
  const database = new DatabaseSync(join(dataDir, 'onceward.db'), { readOnly: true })
  const rows = database.prepare('select id, payload, cause from outbox_event order by row').all()
  database.close()
  t.match(rows, [{ cause: null }, { cause: /was not kept/ }])
  t.equal(rows.length, 2)
  t.match(Buffer.from(rows[0]?.['payload'] instanceof Uint8Array ? rows[0]['payload'] : []).toString(), /"data":\{"id":"ch_1","amount":1\}\}$/)
})

test('a doubt whose events cannot be built, because its draft does not open, stays one', async (t) => {
  const folder = t.testdir({ 'onceward.yaml': EVENTFUL, data: {} })
  const dataDir = join(folder, 'data')
  const sidecar = await startForTest(t, 'http://127.0.0.1:1', { yaml: EVENTFUL, dataDir })
  await sidecar.stop()
  const wish = request('odd', '1', { outbox: 'sealed:c29tZXRoaW5n' })
  const store = await openEmbeddedStore({ dataDir, clock: new HeldClock() })
  await store.claim(wish)
  await store.close()
  t.match(await askIn(folder)('resolve', '--operation', wish.operationRef, '--as', 'completed', '--status', '201', ...BECAUSE), { code: EXIT.refused, complained: /has events that cannot be built here: .*store\.sealing\.keys/ })
  t.match(await askIn(folder)('list', '--state', 'uncertain'), { said: new RegExp(wish.operationRef) })
})

import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { run } from '../support/run-onceward.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { send, startForTest, until } from '../support/start-sidecar.ts'

const answering = (t: Test) => scriptedUpstream(t, ({ socket, number }) => respond(socket, 200, `run ${number}`))

const policy = (name: string, idempotency: string) => `routes: [{ name: ${name}, match: { method: POST, path: /v1/charges }, idempotency: { ${idempotency} } }]`

test('traffic during 100 reloads sees whole policies only', async (t) => {
  const upstream = await answering(t)
  const versions = [policy('one', 'retention: 1h'), policy('two', 'retention: 2h')]
  const sidecar = await startForTest(t, upstream.origin, { yaml: versions[0] ?? '' })
  const told = new Map<number, number>()
  const traffic = { flows: true }
  const client = async (name: number): Promise<void> => {
    for (let n = 0; traffic.flows; n += 1) {
      const { status, headers } = await sidecar.post(`${name}-${n}`)
      if (status !== 200) throw new Error(`a client got ${status}`)
      const hours = Math.ceil(Number(headers['idempotency-ttl']) / 3600)
      told.set(hours, (told.get(hours) ?? 0) + 1)
    }
  }
  const clients = Promise.all([1, 2, 3, 4].map(client))
  for (let n = 1; n <= 100; n += 1) {
    await sidecar.reconfigure(versions[n % 2] ?? '')
    await sidecar.post(`between-${n}`).then(({ headers }) => t.equal(Math.ceil(Number(headers['idempotency-ttl']) / 3600), 1 + n % 2, `reload ${n} is in force for whoever comes after it`))
  }
  traffic.flows = false
  await clients
  t.equal(await sidecar.metric('onceward_config_reloads_total{result="reloaded"}'), 100)
  t.strictSame(new Set(told.keys()), new Set([1, 2]), 'both were in use meanwhile')
  for (const [hours, route] of [[1, 'one'], [2, 'two']] as const) {
    t.equal(await sidecar.metric(`idempotency_key_total{outcome="new",route="${route}"}`), (told.get(hours) ?? 0) + 50, 'each answer has the retention of the route that it is counted for')
  }
})

test('a bad file keeps the old policies, and log and metrics say so', async (t) => {
  const upstream = await answering(t)
  const good = policy('charge', 'key: required')
  const sidecar = await startForTest(t, upstream.origin, { yaml: good })
  t.equal(await sidecar.metric('onceward_config_last_reload_successful'), 1)
  await sidecar.reconfigure(`${policy('charge', 'key: optional, lease: "${LEASE}", retention: 24')}\nlisen: a`, { LEASE: 'the-secret' })
  t.match(await sidecar.post(null), { status: 400, problem: 'key-missing' }, 'what stood before still stands')
  t.equal(await sidecar.metric('onceward_config_last_reload_successful'), 0)
  t.equal(await sidecar.metric('onceward_config_reloads_total{result="refused"}'), 1)
  const lines = sidecar.log().split('\n').filter((line) => line.includes('"config.refused"'))
  t.match(lines.map((line) => JSON.parse(line)), [
    { file: 'test.yaml', line: 1, field: 'routes[0].idempotency.lease' },
    { file: 'test.yaml', line: 1, field: 'routes[0].idempotency.retention', mistake: /found 24; needed: a duration/ },
    { file: 'test.yaml', line: 2, column: 1, field: 'lisen' },
  ])
  t.notMatch(sidecar.log(), 'the-secret')
  await sidecar.reconfigure(policy('charge', 'key: optional'))
  t.match(await sidecar.post(null), { status: 200 })
  t.equal(await sidecar.metric('onceward_config_last_reload_successful'), 1)
})

test('a request that began before a reload ends under its own policy', async (t) => {
  let cut: () => void = () => undefined
  let arrived: () => void = () => undefined
  const seen = new Promise<void>((done) => { arrived = done })
  const upstream = await scriptedUpstream(t, ({ socket }) => {
    cut = () => socket.resetAndDestroy()
    arrived()
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: policy('old', 'unknown_status: 409') })
  const begun = sidecar.post('k1')
  await seen
  await sidecar.reconfigure(policy('new', 'unknown_status: 504'))
  cut()
  t.match(await begun, { status: 409, problem: 'outcome-unknown' })
  t.match(await sidecar.post('k1'), { status: 504, problem: 'outcome-unknown' }, 'whoever comes now is told under the new one')
  t.equal(await sidecar.metric('idempotency_key_total{outcome="uncertain",route="old"}'), 1, 'a route that went keeps its series')
  t.equal(await sidecar.metric('idempotency_key_total{outcome="uncertain",route="new"}'), 1)
})

test('a reload that would free old keys is refused, unless it is accepted in as many words', async (t) => {
  const upstream = await answering(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: policy('charge', 'scope: credential') })
  t.match(await sidecar.post('k1'), { status: 200, body: 'run 1' })
  await sidecar.reconfigure(policy('charge', 'scope: none'))
  t.match(sidecar.log(), /charge has another scope.*accept: \[frees-old-keys\].*"config.refused"/)
  t.match(await sidecar.post('k1'), { body: 'run 1', headers: { 'idempotent-replayed': 'true' } })
  await sidecar.reconfigure(`service: other\n${policy('charge', 'scope: credential')}`)
  t.match(sidecar.log(), /the service is default and would be other.*"config.refused"/)
  await sidecar.reconfigure(`accept: [frees-old-keys]\n${policy('charge', 'scope: none')}`)
  t.match(sidecar.log(), /old keys are free again: charge has another scope/)
  t.match(await sidecar.post('k1'), { status: 200, body: 'run 2' })
  t.equal(await sidecar.metric('onceward_config_reloads_total{result="refused"}'), 2)
})

test('a start that would free old keys is refused likewise, and goes by what was in use last', async (t) => {
  const upstream = await answering(t)
  const dataDir = mkdtempSync(join(tmpdir(), 'onceward-reload-'))
  t.teardown(() => rmSync(dataDir, { recursive: true }))
  const start = (yaml: string) => startForTest(t, upstream.origin, { yaml, dataDir })
  const first = await start(`service: a\n${policy('charge', 'scope: credential')}`)
  await first.post('k1')
  await first.reconfigure(`service: a\naccept: [frees-old-keys]\n${policy('charge', 'scope: none')}`)
  await first.stop()
  await t.rejects(start(`service: a\n${policy('charge', 'scope: credential')}`), /old keys would be free again: charge has another scope.*accept: \[frees-old-keys\]/)
  await t.rejects(start(`service: b\n${policy('charge', 'scope: none')}`), /the service was a and would be b/)
  const second = await start(`service: a\n${policy('renamed', 'scope: none')}`)
  await second.stop()
  const third = await start(`service: b\naccept: [frees-old-keys]\n${policy('charge', 'scope: none')}`)
  await third.stop()
  const fourth = await start(`service: b\n${policy('charge', 'scope: none')}`)
  t.match(await fourth.post('k1'), { status: 200, body: 'run 2' })
})

test('what needs a restart is named and not applied', async (t) => {
  const upstream = await answering(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'limits: { request_body: 1KiB }' })
  await sidecar.reconfigure(`limits: { request_body: 1B }\nlog: { level: silent }\n${policy('charge', 'key: required')}`)
  for (const field of ['limits.request_body', 'log.level']) t.match(sidecar.log(), `${field} has changed, which needs a restart`)
  t.match(await sidecar.post('k1'), { status: 200 }, 'a body above the new limit')
  t.match(await sidecar.post(null), { status: 400, problem: 'key-missing' }, 'the routes are new')
})

test('a store that does not answer keeps the old policies', async (t) => {
  const upstream = await answering(t)
  const dataDir = mkdtempSync(join(tmpdir(), 'onceward-reload-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  const sidecar = await startForTest(t, upstream.origin, { yaml: policy('charge', 'key: required'), dataDir })
  renameSync(join(dataDir, 'onceward.db'), join(dataDir, 'gone.db'))
  await sidecar.reconfigure(policy('charge', 'key: optional'))
  t.match(sidecar.log(), /the key store does not answer.*"config.refused"/)
  t.match(await sidecar.post(null), { status: 400, problem: 'key-missing' })
})

const LOCAL = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0']
const needsKey = (origin: string, key: string) => `upstream: ${origin}\ndefaults: { idempotency: { key: ${key} } }\n`

test('a process reloads at SIGHUP, and by itself when its ConfigMap is swapped', async (t) => {
  const upstream = await answering(t)
  const mount = t.testdir({ data: {} })
  const swap = (name: string, text: string): void => {
    mkdirSync(join(mount, name))
    writeFileSync(join(mount, name, 'onceward.yaml'), text)
    symlinkSync(name, join(mount, '..data_tmp'))
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'))
  }
  swap('..one', needsKey(upstream.origin, 'optional'))
  symlinkSync('..data/onceward.yaml', join(mount, 'onceward.yaml'))
  const sidecar = run(t, ['--config', join(mount, 'onceward.yaml'), '--data-dir', join(mount, 'data'), ...LOCAL])
  const address = await sidecar.ready
  const keyless = () => send(address, null)
  t.match(await keyless(), { status: 200 })
  swap('..two', needsKey(upstream.origin, 'required'))
  t.match(await until(keyless, ({ status }) => status !== 200), { status: 400, problem: 'key-missing' })
  swap('..three', 'upstream: [')
  await sidecar.logged('config.refused')
  t.match(await keyless(), { status: 400, problem: 'key-missing' })
  swap('..four', needsKey(upstream.origin, 'optional'))
  t.match(await until(keyless, ({ status }) => status !== 400), { status: 200 })
  await sidecar.logged('config.reloaded', 2)
  sidecar.signal('SIGHUP')
  await sidecar.logged('config.reloaded', 3)
  sidecar.signal('SIGTERM')
  t.equal((await sidecar.ended).code, 0)
})

test('SIGHUP ends no process: not before it is ready, not without a file, not while it drains', async (t) => {
  let finish: () => void = () => undefined
  let arrived: () => void = () => undefined
  const seen = new Promise<void>((done) => { arrived = done })
  const upstream = await scriptedUpstream(t, ({ socket }) => {
    finish = () => respond(socket, 200, 'done')
    arrived()
  })
  const tell = `data:text/javascript,process.on('newListener',(name)=>{if(name==='SIGHUP')console.log('"expecting"')})`
  const sidecar = run(t, ['--upstream', upstream.origin, '--data-dir', t.testdir(), ...LOCAL], {}, ['--import', tell])
  await sidecar.logged('expecting')
  t.notMatch(sidecar.output(), 'sidecar.ready')
  for (let n = 0; n < 20; n += 1) sidecar.signal('SIGHUP')
  const address = await sidecar.ready
  await sidecar.logged('expecting', 2)
  sidecar.signal('SIGHUP')
  await sidecar.logged('config.reloaded')
  const answer = send(address, 'k1')
  await seen
  sidecar.signal('SIGTERM')
  await sidecar.logged('sidecar.draining')
  const before = sidecar.output().split('"config.reloaded"').length
  sidecar.signal('SIGHUP')
  finish()
  t.match(await answer, { status: 200, body: 'done' })
  const { code, output } = await sidecar.ended
  t.equal(code, 0)
  t.equal(output.split('"config.reloaded"').length, before, 'a process that drains does not reload')
})

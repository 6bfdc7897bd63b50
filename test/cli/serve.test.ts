import { once } from 'node:events'
import { createServer } from 'node:net'
import { test, type Test } from 'tap'
import { run } from '../support/run-onceward.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { send } from '../support/start-sidecar.ts'

const flags = (t: Test, origin: string): string[] => ['--upstream', origin, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--data-dir', t.testdir()]

test('SIGTERM drains: what is in flight is answered and settled, then the process ends with 0', async (t) => {
  let finish: () => void = () => undefined
  let arrived: () => void = () => undefined
  const seen = new Promise<void>((done) => { arrived = done })
  const upstream = await scriptedUpstream(t, ({ socket }) => {
    finish = () => respond(socket, 200, 'done')
    arrived()
  })
  const sidecar = run(t, flags(t, upstream.origin))
  const answer = send(await sidecar.ready, 'k1')
  await seen
  sidecar.signal('SIGTERM')
  await sidecar.logged('sidecar.draining')
  await t.rejects(send(await sidecar.ready, 'k2'), { code: 'ECONNREFUSED' }, 'new connections are refused')
  finish()
  t.match(await answer, { status: 200, body: 'done', headers: { connection: 'close' } })
  const { code, output } = await sidecar.ended
  t.equal(code, 0)
  t.match(output, /"unsettled":0,"msg":"sidecar.stopped"/)
})

test('a second SIGTERM, meant as such, ends the process at once', async (t) => {
  let arrived: () => void = () => undefined
  const seen = new Promise<void>((done) => { arrived = done })
  const upstream = await scriptedUpstream(t, () => arrived())
  const sidecar = run(t, flags(t, upstream.origin))
  const answer = send(await sidecar.ready, 'k1')
  const lost = t.rejects(answer, 'the client learns nothing')
  await seen
  sidecar.signal('SIGTERM')
  await sidecar.logged('sidecar.draining')
  sidecar.signal('SIGTERM') // within a second of the first: one intention, as npm repeats a terminal's Ctrl-C
  await new Promise((done) => { setTimeout(done, 1100) }) // the second in which a repetition means nothing has to pass
  sidecar.signal('SIGTERM')
  t.equal((await sidecar.ended).code, 1)
  await lost
})

test('everything wrong with the configuration is said at once, and nothing starts', async (t) => {
  const dir = t.testdir({ 'bad.yaml': 'upstream: ftp://x\nroutes:\n  - name: A\n    match: { path: /x }\n    idempotencyy: {}\n' })
  const { code, output } = await run(t, ['--config', `${dir}/bad.yaml`]).ended
  t.equal(code, 78)
  for (const place of ['bad.yaml:1:11', 'bad.yaml:3:11', 'bad.yaml:5:5']) t.match(output, place)
  t.match(output, /idempotency/)
})

test('a port that is taken is a clear error', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  const { code, output } = await run(t, ['--upstream', 'http://127.0.0.1:1', '--listen', `127.0.0.1:${port}`, '--admin', '127.0.0.1:0', '--data-dir', t.testdir()]).ended
  t.equal(code, 69)
  t.match(output, /could not start: .*EADDRINUSE/)
})

test('a second process on the same data is refused, and told whose it is', async (t) => {
  const args = flags(t, 'http://127.0.0.1:1')
  await run(t, args).ready
  const { code, output } = await run(t, args).ended
  t.equal(code, 69)
  t.match(output, /onceward\.db/)
})

test('in Kubernetes the embedded store is refused unless the configuration spells it out', async (t) => {
  const { code, output } = await run(t, flags(t, 'http://127.0.0.1:1'), { KUBERNETES_SERVICE_HOST: '10.0.0.1' }).ended
  t.equal(code, 78)
  t.match(output, /single-instance/)
  const dir = t.testdir({ 'one.yaml': 'store: { embedded: single-instance }\n', data: {} })
  const args = ['--config', `${dir}/one.yaml`, '--upstream', 'http://127.0.0.1:1', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--data-dir', `${dir}/data`]
  t.match(await run(t, args, { KUBERNETES_SERVICE_HOST: '10.0.0.1' }).ready, /^http/)
})

test('an older Node is told which one is needed', async (t) => {
  const pretend = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.20.2'}});Object.defineProperty(process,'version',{value:'v20.20.2'})`
  const { code, output } = await run(t, ['--version'], {}, ['--import', pretend]).ended
  t.equal(code, 78)
  t.match(output, 'onceward needs Node 24.15 or newer; this is v20.20.2')
})

test('--help and --version answer and end', async (t) => {
  t.match(await run(t, ['--help']).ended, { code: 0, output: /--upstream URL/ })
  t.match(await run(t, ['--version']).ended, { code: 0, output: /^\d+\.\d+\.\d+\n$/ })
  t.match(await run(t, ['--upstreem', 'x']).ended, { code: 64, output: /--upstream/ })
})

test('the log has no key, no credential and no body', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'reply-body-secret'))
  const sidecar = run(t, flags(t, upstream.origin))
  const address = await sidecar.ready
  await send(address, 'key-secret', { headers: ['Authorization', 'Bearer credential-secret', 'X-API-Key', 'api-secret'], body: 'body-secret' })
  await send(address, 'key-secret', { headers: ['Authorization', 'Bearer credential-secret', 'X-API-Key', 'api-secret'], body: 'other-secret' })
  sidecar.signal('SIGTERM')
  const { output } = await sidecar.ended
  t.match(output, /"outcome":"new"/)
  t.match(output, /"outcome":"mismatch"/)
  t.notMatch(output, /secret/)
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { test, type Test } from 'tap'
import { run } from '../support/run-onceward.ts'
import { findProgram } from '../support/services/programs.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { send } from '../support/start-sidecar.ts'
import { startTraceCollector } from '../support/trace-collector.ts'

const MAIN = resolve(import.meta.dirname, '../../src/onceward.js')

/** Makes the packages of the SDK impossible to find; the API is prom-client's, too. */
const WITHOUT_SDK = `--import=data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  registerHooks({ resolve(name, context, next) {
    if (/^@opentelemetry\\/(?!api$)/.test(name)) throw Object.assign(new Error('no ' + name), { code: 'ERR_MODULE_NOT_FOUND' })
    return next(name, context)
  } })
`)}`

async function started(t: Test, more: string) {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'done'))
  const dir = t.testdir({ 'a.yaml': `upstream: ${upstream.origin}\nlisten: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\n${more}` })
  return ['--config', `${dir}/a.yaml`, '--data-dir', `${dir}/data`]
}

test('without `tracing` nothing of the SDK is loaded', async (t) => {
  const sidecar = run(t, await started(t, ''), {}, [WITHOUT_SDK])
  t.match(await send(await sidecar.ready, 'k1'), { status: 201 })
  sidecar.signal('SIGTERM')
  t.equal((await sidecar.ended).code, 0)
})

test('with `tracing` and without the SDK the start is refused, and says what to install', async (t) => {
  const { code, output } = await run(t, await started(t, 'tracing: { otlp: { url: "http://127.0.0.1:9" } }'), {}, [WITHOUT_SDK]).ended
  t.equal(code, 69)
  t.match(output, /onceward could not start: `tracing` needs the optional packages @opentelemetry\/api.* npm install/)
})

test('a process that is told to end exports its last spans, and ends in time when nobody takes them', async (t) => {
  for (const answers of [() => 200, () => null]) {
    const collector = await startTraceCollector(t, answers)
    const sidecar = run(t, await started(t, `tracing: { otlp: { url: "${collector.url}", timeout: 60s }, sample: 100% }\nshutdown: { grace: 1s }`))
    t.match(await send(await sidecar.ready, 'k1'), { status: 201 })
    const from = performance.now()
    sidecar.signal('SIGTERM')
    t.equal((await sidecar.ended).code, 0)
    t.ok(performance.now() - from < 10_000)
    t.equal(collector.spans.length, answers() === 200 ? 4 : 0)
  }
})

test('on a terminal lines are for people, and in a pipe they are JSON', async (t) => {
  const args = await started(t, '')
  const piped = run(t, args)
  await piped.ready
  t.match(piped.output(), /^\{"level":30,/)
  piped.signal('SIGTERM')
  await piped.ended
  const script = findProgram('script') // of bsdutils, which every Debian has
  if (script === null) throw new Error('there is no script(1)')
  const terminal = spawn(script, ['--quiet', '--return', '--command', ['exec', process.execPath, MAIN, ...args].join(' '), '/dev/null'], { env: { PATH: process.env['PATH'], NO_COLOR: '1' }, stdio: ['pipe', 'pipe', 'pipe'] })
  t.teardown(() => terminal.kill('SIGKILL'))
  let output = ''
  let asked = false
  terminal.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    if (asked || !output.includes('sidecar.ready')) return
    asked = true
    terminal.stdin.write('\u0003') // Ctrl-C, from the terminal to the process
  })
  const [code] = await once(terminal, 'close') as [number]
  t.equal(code, 0)
  t.match(output, /^\d\d:\d\d:\d\d\.\d{3} info {2}sidecar\.ready {6,}address=http:\/\/127\.0\.0\.1:\d+ /m)
  t.match(output, /sidecar\.stopped/)
  t.notMatch(output, /\{"level"/)
})

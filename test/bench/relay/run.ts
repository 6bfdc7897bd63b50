import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { kafkaAddress, kafkaIsAtHand, kafkaTopic } from '../../support/services/kafka.ts'
import { cpuUs } from '../cpu.ts'
import { forked, Scene } from '../scene.ts'
import { startServer } from '../servers.ts'
import { verdict } from '../table.ts'
import { filling } from './filling.ts'

/*
 * Events a second and CPU per event of the relay: the built product (logs and metrics on) in a process of its own, with events that
 * wait when it starts, and a receiver that does nothing in another. The time counts from the first delivery to the last.
 *
 *     npm run bench:relay                      each receiver on each store
 *     npm run bench:relay -- --only webhook    one of the receivers: webhook, kafka, transactions (kafka with a transactional_id, without a bar)
 *     npm run bench:relay -- --events N        how many wait (60,000)
 *
 * Exit code 1 if a bar is missed.
 */

const BUILT = resolve(import.meta.dirname, '../../../dist/onceward.js')
const WITHIN_MS = 120_000
const BARS = { webhook: 5000, kafka: 20_000, transactions: null } as const
type ReceiverKind = keyof typeof BARS

const { values } = parseArgs({ options: { events: { type: 'string', default: '60000' }, only: { type: 'string' } } })
const events = Number(values.events)
const scene = new Scene()
let good = true
try {
  console.log(`load ${loadavg()[0]?.toFixed(1)} at the start; ${events} events in 5000 lanes`)
  const server = await startServer(scene)
  process.stdout.write(server.description)
  for (const kind of ['webhook', 'kafka', 'transactions'] as const) {
    if (values.only !== undefined && values.only !== kind) continue
    const sink = await sinkOf(kind)
    if (sink === null) continue
    for (const store of ['postgres', 'embedded'] as const) {
      const name = `${kind}-${store}`
      const group: Readonly<Record<string, unknown>> = store === 'postgres' ? { postgres: { url: await server.postgres.createDatabase(), durability: 'local' } } : {}
      const folder = join(scene.folder, name)
      await filling(store === 'postgres' ? { kind: store, url: urlOf(group) } : { kind: store, folder }, { events, lanes: 5000 })
      await measure(kind, name, { data_dir: folder, ...group }, sink)
    }
  }
} finally {
  await scene.end()
}
process.exitCode = good ? 0 : 1

async function measure(kind: ReceiverKind, name: string, store: Readonly<Record<string, unknown>>, sink: object): Promise<void> {
  const [logFile, configFile] = [join(scene.folder, `${name}.log`), join(scene.folder, `${name}.yaml`)]
  writeFileSync(configFile, JSON.stringify({ service: 'bench', upstream: 'http://127.0.0.1:1', listen: '127.0.0.1:0', admin: { listen: '127.0.0.1:0' }, store, sinks: { bench: { ...sink, lanes: 2000, catch_up: { above: '10h' } } } }))
  const log = openSync(logFile, 'w')
  const child = spawn(process.execPath, [BUILT, '--config', configFile], { stdio: ['ignore', log, 'inherit'] })
  closeSync(log)
  scene.keep(child)
  const ready = (): string | undefined => readFileSync(logFile, 'utf8').split('\n').find((text) => text.includes('"sidecar.ready"'))
  while (ready() === undefined && child.exitCode === null) await sleep(20)
  const { admin } = JSON.parse(ready() ?? '{}') as { admin: string }
  const [cpuAt, count] = [cpuUs(child.pid ?? 0), await delivered(admin)]
  const startedAt = performance.now()
  let now = count
  while (now < events && performance.now() < startedAt + WITHIN_MS) {
    await sleep(50)
    now = await delivered(admin)
  }
  const tookS = (performance.now() - startedAt) / 1000
  const perSecond = (now - count) / tookS
  const perEvent = (cpuUs(child.pid ?? 0) - cpuAt) / Math.max(1, now - count)
  const said = `${name}: ${perSecond.toFixed(0)} events/s, ${perEvent.toFixed(1)} us of the relay's CPU an event`
  const bar = BARS[kind]
  const met = now >= events && perSecond >= (bar ?? 0)
  good &&= met
  if (bar === null) console.log(said)
  else verdict(said, `at least ${bar}/s`, met)
  const ended = new Promise((gone) => { child.once('exit', gone) })
  child.kill('SIGTERM')
  await ended
}

async function delivered(admin: string): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text()
  return Number(/^onceward_deliveries_total\{sink="bench",outcome="delivered"\} (\d+)/m.exec(text)?.[1] ?? 0)
}

async function sinkOf(kind: ReceiverKind): Promise<object | null> {
  if (kind === 'webhook') {
    const { port } = await forked(scene, 'relay/receiver.ts', [])
    return { webhook: { url: { plain_http: `http://127.0.0.1:${port}/hook` }, allow: ['127.0.0.0/8'], secrets: [`whsec_${Buffer.alloc(32, 7).toString('base64')}`] } }
  }
  if (kafkaIsAtHand()) {
    const { host, port } = await kafkaAddress()
    return { kafka: { brokers: [`${host}:${port}`], topic: await kafkaTopic(8), ...(kind === 'transactions' ? { transactional_id: 'bench-relay' } : {}) } }
  }
  console.log('# kafka was not measured: there is no broker, and none can be started')
  return null
}

function urlOf(group: Readonly<Record<string, unknown>>): string {
  const { postgres } = group
  return typeof postgres === 'object' && postgres !== null && 'url' in postgres ? String(postgres.url) : ''
}


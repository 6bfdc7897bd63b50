import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { findDocker, runContainer } from './docker.ts'
import { freePort } from './free-port.ts'
import { describeCluster, makeTopic } from './kafka-client.ts'
import { findKafka } from './kafka-jars.ts'
import { say } from './programs.ts'
import { ServerProcess, serverFolder } from './server-process.ts'

/** As in server.properties. */
export type KafkaBrokerSettings = Readonly<Record<string, string | number>>

export interface KafkaOptions {
  readonly settings?: KafkaBrokerSettings
  /** a second listener, whose clients are sent to this port of loopback: for a relay that stands before the broker */
  readonly advertise?: number
  /** a user of SCRAM-SHA-512 */
  readonly user?: { readonly name: string, readonly password: string }
}

export interface KafkaBroker {
  readonly host: string
  readonly port: number
  /** the port of the listener behind the relay; the usual one if there is none */
  readonly relayedPort: number
  /** a new topic; its name */
  topic(partitions: number, settings?: KafkaBrokerSettings): Promise<string>
  kill(): Promise<void>
  /** a controlled shutdown */
  shutDown(): Promise<void>
  pause(): void
  resume(): void
  /** after a kill or a shutdown: the same port and data */
  restart(): Promise<void>
  stop(): Promise<void>
  log(): string
}

// C1 only and the serial collector: a broker of a test lives for seconds, beside others
const JVM = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']

/** One broker that is its own controller. Nothing waits for replicas, nor for long for a broker that was killed to be given up. */
const DEFAULTS: KafkaBrokerSettings = {
  'process.roles': 'broker,controller',
  'node.id': 1,
  'controller.listener.names': 'CONTROLLER',
  'broker.session.timeout.ms': 1500,
  'broker.heartbeat.interval.ms': 300,
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 1,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 1,
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
  'group.initial.rebalance.delay.ms': 0,
  'auto.create.topics.enable': 'false',
  'num.network.threads': 2,
  'num.io.threads': 2,
  'log.cleaner.dedupe.buffer.size': 2_097_152,
}

let shared: Promise<{ readonly host: string, readonly port: number }> | null = null
let topics = 0

export function kafkaIsAtHand(): boolean {
  return process.env['KAFKA_BROKERS'] !== undefined || findKafka() !== null || findDocker() !== null
}

/** A broker for whoever does not mind others: the first of KAFKA_BROKERS if that is set, else one for this process that ends with it. */
export function kafkaAddress(): Promise<{ readonly host: string, readonly port: number }> {
  return shared ??= sharedBroker()
}

/** A topic of the shared broker; its name. */
export async function kafkaTopic(partitions: number, settings: KafkaBrokerSettings = {}): Promise<string> {
  return newTopic(await kafkaAddress(), partitions, settings)
}

async function sharedBroker(): Promise<{ readonly host: string, readonly port: number }> {
  const given = process.env['KAFKA_BROKERS']
  if (given !== undefined) {
    say('Kafka: the one of KAFKA_BROKERS')
    const [, host = '', port = '9092'] = /^\[?([^,]+?)\]?(?::(\d+))?(?:,|$)/.exec(given) ?? []
    return { host, port: Number(port) }
  }
  if (findKafka() !== null) return launch({})
  // The container's broker sends its clients to the port that it was given, so it must be the same outside.
  const port = await freePort()
  const { port: mapped } = runContainer('apache/kafka:4.1.0', port, ['-e', 'KAFKA_NODE_ID=1', '-e', 'KAFKA_PROCESS_ROLES=broker,controller',
    '-e', `KAFKA_LISTENERS=PLAINTEXT://:${port},CONTROLLER://:9093`, '-e', `KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:${port}`, '-p', `127.0.0.1:${port}:${port}`,
    '-e', 'KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER', '-e', 'KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9093', '-e', 'KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1',
    '-e', 'KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR=1', '-e', 'KAFKA_TRANSACTION_STATE_LOG_MIN_ISR=1'])
  for (;;) {
    try {
      await describeCluster({ host: '127.0.0.1', port: mapped })
      return { host: '127.0.0.1', port }
    } catch {
      await new Promise((resolve) => { setTimeout(resolve, 200) })
    }
  }
}

/** A broker of the test's own. Gone with the test. */
export async function startKafka(t: Pick<Test, 'teardown'>, options: KafkaOptions = {}): Promise<KafkaBroker> {
  const broker = await launch(options)
  t.teardown(() => broker.stop())
  return broker
}

/** As base64url; never with `-` in front, which the tool would take for an option. */
function clusterId(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0] ?? 0) & 0x7f
  return bytes.toString('base64url')
}

async function launch({ settings = {}, advertise, user }: KafkaOptions): Promise<KafkaBroker> {
  const jars = findKafka()
  if (jars === null) throw new Error('no Kafka: see needs()')
  const startedAt = Date.now()
  const folder = serverFolder('kafka', null)
  const [port, behind, controller] = [await freePort(), await freePort(), await freePort()]
  const file = join(folder, 'server.properties')
  const lines: KafkaBrokerSettings = {
    ...DEFAULTS,
    'listeners': `PLAINTEXT://127.0.0.1:${port},RELAYED://127.0.0.1:${behind},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},RELAYED://127.0.0.1:${advertise ?? behind}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,RELAYED:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controller}`,
    'log.dirs': join(folder, 'data'),
    ...settings,
  }
  writeFileSync(file, `${Object.entries(lines).map(([name, value]) => `${name}=${value}`).join('\n')}\n`)
  const java = [...JVM, '-cp', jars.classPath]
  const scram = user === undefined ? [] : ['--add-scram', `SCRAM-SHA-512=[name=${user.name},password=${user.password}]`]
  const formatted = spawnSync(jars.java, [...java, 'kafka.tools.StorageTool', 'format', '--standalone', '-t', clusterId(), '-c', file, ...scram], { encoding: 'utf8', cwd: folder, timeout: 30_000 })
  if (formatted.status !== 0) throw new Error(`Kafka's storage was not formatted: ${formatted.stderr}${formatted.stdout}`)
  const at = { host: '127.0.0.1', port }
  const process = new ServerProcess({ name: 'Kafka', program: jars.java, args: [...java, 'kafka.Kafka', file], account: null, folder, probe: () => describeCluster(at), stopSignal: 'SIGKILL' })
  await process.start()
  say(`Kafka from ${jars.from}, up after ${Date.now() - startedAt} ms`)
  return {
    ...at, relayedPort: behind,
    topic: (partitions, more = {}) => newTopic(at, partitions, more),
    kill: () => process.kill(),
    shutDown: () => process.end('SIGTERM'),
    pause: () => process.pause(),
    resume: () => process.resume(),
    restart: () => process.start(),
    stop: () => process.stop(),
    log: () => process.log(),
  }
}

async function newTopic(at: { readonly host: string, readonly port: number }, partitions: number, settings: KafkaBrokerSettings): Promise<string> {
  topics += 1
  const name = `onceward-${process.pid}-${topics}-${randomBytes(4).toString('hex')}`
  await makeTopic(at, name, partitions, settings)
  return name
}

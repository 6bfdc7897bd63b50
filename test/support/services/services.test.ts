import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { test } from 'tap'
import t from 'tap'
import { describeCluster, readTopic } from './kafka-client.ts'
import { startKafka } from './kafka.ts'
import { needs } from './needs.ts'
import { startPgBouncer } from './pgbouncer.ts'
import { postgresUrl, startPostgres } from './postgres.ts'
import { info, redisUrl, startCluster, startRedis, startSentinels } from './redis.ts'

needs(t, 'postgres', 'redis', 'pgbouncer', 'kafka')

test('a Postgres is killed, comes back with its data on its port, hangs and goes on', async (t) => {
  const server = await startPostgres(t, { settings: { max_connections: 20 } })
  t.strictSame(await server.query('SHOW fsync'), [{ fsync: 'on' }])
  t.strictSame(await server.query('SHOW max_connections'), [{ max_connections: '20' }])
  await server.query('CREATE TABLE kept AS SELECT 1 AS n')
  await server.kill()
  await t.rejects(server.query('SELECT 1'))
  await server.restart({ max_connections: 30 })
  t.strictSame(await server.query('SELECT n FROM kept'), [{ n: 1 }])
  t.strictSame(await server.query('SHOW max_connections'), [{ max_connections: '30' }])
  server.pause()
  await t.rejects(server.query('SELECT 1'), 'nothing answers')
  server.resume()
  t.strictSame(await server.query('SELECT 2 AS n'), [{ n: 2 }])
  const startedAt = Date.now()
  await startPostgres(t)
  t.comment(`a further Postgres takes ${Date.now() - startedAt} ms`)
})

test('a standby follows under its name and takes over', async (t) => {
  const primary = await startPostgres(t)
  const standby = await primary.standby(t, 'other')
  await primary.query("ALTER SYSTEM SET synchronous_standby_names = 'other'")
  await primary.query('SELECT pg_reload_conf()')
  for (;;) {
    const [seen] = await primary.query('SELECT application_name, sync_state FROM pg_stat_replication')
    if (seen?.['application_name'] === 'other' && seen['sync_state'] === 'sync') break
    await new Promise((resolve) => { setTimeout(resolve, 50) })
  }
  await primary.query('CREATE TABLE kept AS SELECT 1 AS n')
  await primary.kill()
  await standby.promote()
  t.strictSame(await standby.query('SELECT n FROM kept'), [{ n: 1 }])
})

test('databases of the shared server are empty, also through PgBouncer', async (t) => {
  const [one, other] = [await postgresUrl(), await postgresUrl()]
  t.not(one, other)
  t.ok(await startPgBouncer(t, one))
})

test("npm's PostgreSQL runs too", async (t) => {
  const server = await startPostgres(t, { from: 'npm' })
  t.match(server.version, /^1[4-9]/)
  t.strictSame(await server.query('SELECT 1 AS n'), [{ n: 1 }])
})

test('a Redis is killed, comes back, hangs and goes on', async (t) => {
  t.match(await redisUrl(), /^redis:/)
  const server = await startRedis(t, { maxmemory: '10mb' })
  t.equal(await server.command('SET', 'a', 'b'), 'OK')
  await server.kill()
  await t.rejects(server.command('GET', 'a'))
  await server.restart()
  t.equal(await server.command('PING'), 'PONG')
})

test('a Kafka is killed, comes back with its topics on its port, hangs and goes on', async (t) => {
  const broker = await startKafka(t)
  const topic = await broker.topic(2, { 'max.message.bytes': 5000 })
  t.strictSame(await readTopic(broker, topic, 'read_committed'), [])
  await broker.kill()
  await t.rejects(describeCluster(broker))
  await broker.restart()
  t.strictSame(await readTopic(broker, topic, 'read_uncommitted'), [])
  broker.pause()
  await t.rejects(describeCluster(broker), 'nothing answers')
  broker.resume()
  await describeCluster(broker)
  await broker.shutDown()
  await t.rejects(describeCluster(broker))
})

test('sentinels promote the replica', async (t) => {
  const { master, replica } = await startSentinels(t)
  await master.kill()
  for (;;) {
    if ((await info(replica, 'replication')).includes('role:master')) break
    await new Promise((resolve) => { setTimeout(resolve, 100) })
  }
  t.pass('it is the master now')
})

test('a cluster serves all slots', async (t) => {
  const nodes = await startCluster(t)
  t.equal(nodes.length, 3)
})

test('a test process that is killed leaves no server and no folder behind', async (t) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', `
    import { startRedis } from ${JSON.stringify(new URL('./redis.ts', import.meta.url).href)}
    const server = await startRedis({ teardown() {} })
    console.log(server.port + ' ' + (await server.command('CONFIG', 'GET', 'dir')))
  `], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [said] = await once(child.stdout.setEncoding('utf8'), 'data')
  const [port = '', , folder = ''] = String(said).trim().split(' ')
  child.kill('SIGKILL')
  await once(child, 'exit')
  while (await answers(Number(port))) await new Promise((resolve) => { setTimeout(resolve, 50) })
  while (existsSync(folder)) await new Promise((resolve) => { setTimeout(resolve, 50) })
  t.pass('both are gone')
})

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

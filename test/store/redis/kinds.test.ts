import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { test, type Test } from 'tap'
import { freePort } from '../../support/services/free-port.ts'
import { needs } from '../../support/services/needs.ts'
import { startCluster, startRedis, startSentinels } from '../../support/services/redis.ts'
import { idOf, remembered, scene, sceneBefore, until } from './scene.ts'

/* The kinds of Redis that a URL can name, each with what only it can do. */

needs(t, 'redis')

/** What docs/redis.md says that a user needs. */
const ACL = 'onceward on >s3cr%t ~onceward:* resetchannels &onceward:* -@all +get +mget +set +publish +subscribe +info +select +client|setname +ping'

test('sentinels lead to the new master after a failover', async (t) => {
  const { sentinels, masterName, master } = await startSentinels(t)
  const { put, replies, timed } = await scene(t, `redis+sentinel://${sentinels.join(',')}/${masterName}`)
  await put(idOf('a'))
  t.ok(await replies.get(idOf('a')))
  await master.kill()
  const gone = await timed(idOf('a'))
  t.not(gone.ended, 'late', `a look-up took ${gone.tookMs.toFixed(1)} ms`)
  const startedAt = Date.now()
  await until(() => replies.answers && replies.takes, 30_000)
  t.comment(`it answered again after ${Date.now() - startedAt} ms`)
  await put(idOf('b'))
  t.ok(await replies.get(idOf('b')))
})

test('a paused master is replaced, and is of no use when it wakes up as a replica', async (t) => {
  const { sentinels, masterName, master } = await startSentinels(t)
  const { put, replies, timed, meter } = await scene(t, `redis+sentinel://${sentinels.join(',')}/${masterName}`)
  await put(idOf('a'))
  master.pause()
  t.equal((await timed(idOf('a'))).ended, 'in time')
  await until(() => replies.answers && replies.takes, 30_000)
  master.resume()
  await put(idOf('b'))
  t.equal(meter.fills.at(-1), 'stored')
  t.ok(await replies.get(idOf('b')))
})

test('a cluster gives each key to its node, and a moved slot is followed', async (t) => {
  const nodes = await startCluster(t, { user: ['default on nopass ~* &* +@all', `${ACL} +cluster|slots +cluster|info`] })
  const { put, replies, meter, timed } = await scene(t, `redis+cluster://onceward:s3cr%25t@${nodes.map(({ host, port }) => `${host}:${port}`).join(',')}`)
  const ids = Array.from({ length: 60 }, (_, n) => idOf(`key-${n}`))
  for (const id of ids) replies.put(id, remembered(id))
  await until(() => meter.fills.length === ids.length)
  t.ok(meter.fills.every((end) => end === 'stored'))
  const found = await Promise.all(ids.map((id) => replies.get(id)))
  t.ok(found.every((what) => what !== undefined), 'all are found')
  const sizes = await Promise.all(nodes.map((node) => node.command('DBSIZE')))
  t.ok(sizes.every((size) => Number(size) > 5), `each node has some: ${sizes.join(', ')}`)

  const [from, to] = nodes
  if (from === undefined || to === undefined) throw new Error('a cluster without nodes')
  const moving = idOf('moving')
  const slot = await from.command('CLUSTER', 'KEYSLOT', `onceward:reply:${moving}`)
  const owner = await ownerOf(nodes, Number(slot))
  const target = nodes.find((node) => node !== owner) ?? to
  for (const node of nodes) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', await target.command('CLUSTER', 'MYID'))
  await put(moving)
  t.equal(meter.fills.at(-1), 'stored', 'MOVED is followed')
  t.ok(await replies.get(moving))

  await nodes[2]?.command('LPUSH', 'x', 'y').catch(() => undefined)
  nodes[2]?.pause()
  const many = await Promise.all(ids.map((id) => timed(id)))
  t.ok(many.every(({ ended }) => ended !== 'late'), `with one node hung ${ids.length} look-ups took ${Math.max(...many.map(({ tookMs }) => tookMs)).toFixed(1)} ms`)
  nodes[2]?.resume()
  await until(() => replies.answers && replies.takes, 30_000)
  t.ok(await replies.get(moving))
})

async function ownerOf(nodes: readonly { readonly port: number, command(...words: string[]): Promise<string> }[], slot: number): Promise<unknown> {
  for (const node of nodes) {
    const said = await node.command('CLUSTER', 'NODES')
    const range = /myself.* (\d+)-(\d+)/.exec(said)
    if (range !== null && Number(range[1]) <= slot && slot <= Number(range[2])) return node
  }
  throw new Error('nobody has the slot')
}

test('an ACL user needs these commands and keys, and a wrong password is no trouble of anybody else', async (t) => {
  const server = await startRedis(t, { user: ['default on nopass ~* &* +@all', ACL] })
  const { put, replies } = await scene(t, `redis://onceward:s3cr%25t@127.0.0.1:${server.port}`)
  await put(idOf('a'))
  t.ok(await replies.get(idOf('a')))
  t.equal(await replies.bury(idOf('a')), 'buried')
  const refused = await sceneBefore(t, `redis://onceward:wrong@127.0.0.1:${server.port}`)
  await new Promise((resolve) => { setTimeout(resolve, 400) })
  t.notOk(refused.replies.answers)
  t.match(await refused.timed(idOf('a')), { found: undefined, ended: 'at once' })
})

test('TLS with an authority of our own; without it the certificate is refused', async (t) => {
  const folder = authority(t)
  const tlsPort = await freePort()
  const server = await startRedis(t, {
    'tls-port': tlsPort, 'tls-cert-file': join(folder, 'server.crt'), 'tls-key-file': join(folder, 'server.key'), 'tls-ca-cert-file': join(folder, 'ca.crt'), 'tls-auth-clients': 'no',
  })
  t.ok(server)
  const ca = readFileSync(join(folder, 'ca.crt'), 'utf8')
  const { put, replies } = await scene(t, `rediss://127.0.0.1:${tlsPort}`, { ca })
  await put(idOf('a'))
  t.ok(await replies.get(idOf('a')))
  const refused = await sceneBefore(t, `rediss://127.0.0.1:${tlsPort}`)
  await new Promise((resolve) => { setTimeout(resolve, 400) })
  t.notOk(refused.replies.answers)
})

test('a switch to an empty second Redis is a series of misses', async (t) => {
  const [first, second] = [await startRedis(t), await startRedis(t)]
  const one = await scene(t, first.url)
  await one.put(idOf('a'))
  const two = await scene(t, second.url)
  t.equal(await two.replies.get(idOf('a')), undefined)
  t.strictSame(two.meter.misses, ['absent'])
})

/** A certificate for 127.0.0.1 that an authority of ours has signed. */
function authority(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'onceward-tls-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const openssl = (...words: string[]): void => void execFileSync('openssl', words, { cwd: folder, stdio: 'ignore' })
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', '/CN=test authority')
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'server.key', '-out', 'server.crt', '-days', '2', '-subj', '/CN=127.0.0.1',
    '-CA', 'ca.crt', '-CAkey', 'ca.key', '-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE')
  return folder
}

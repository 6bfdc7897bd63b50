import t, { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import { startRedis } from '../../support/services/redis.ts'
import { idOf, remembered, scene, sceneBefore, until } from './scene.ts'

/* Every trouble that Redis can make is a miss within 50 ms, and then costs nothing. The figures are printed. */

needs(t, 'redis')

const a = idOf('a')

test('a reply comes back as it was put, with everything that belongs to it', async (t) => {
  const { put, replies, meter } = await scene(t, (await startRedis(t)).url)
  const what = remembered('the body')
  await put(a, what)
  t.strictSame(await replies.get(a), what)
  t.strictSame(await Promise.all([a, idOf('b'), a].map(async (id) => (await replies.get(id))?.operationRef)), ['op_1', undefined, 'op_1'])
  await put(a, remembered('another'))
  t.strictSame(await replies.get(a), what, 'the first one stays')
  t.strictSame([meter.fills, meter.misses], [['stored', 'present'], ['absent']])
})

test('look-ups of one turn are one command', async (t) => {
  const server = await startRedis(t)
  const { replies } = await scene(t, server.url)
  const count = async (): Promise<number> => Number(/cmdstat_mget:calls=(\d+)/.exec(await server.command('INFO', 'commandstats'))?.[1])
  const before = await count()
  await Promise.all(Array.from({ length: 100 }, (_, n) => replies.get(idOf(`key-${n}`))))
  t.equal(await count() - before, 1)
})

test('a value lives as long as its retention, and no longer than configured', async (t) => {
  const server = await startRedis(t)
  const { put, meter } = await scene(t, server.url, { keepMs: 60_000 })
  await put(a, remembered('short', { retainUntil: Date.now() + 5000 }))
  await put(idOf('b'), remembered('long'))
  await put(idOf('c'), remembered('over', { retainUntil: Date.now() - 1 }))
  const ttl = async (id: string): Promise<number> => Number(await server.command('PTTL', `onceward:reply:${id}`))
  t.ok(await ttl(a) <= 5000 && await ttl(a) > 3000)
  t.ok(await ttl(idOf('b')) <= 60_000 && await ttl(idOf('b')) > 50_000)
  t.strictSame(meter.fills, ['stored', 'stored', 'dropped'])
})

test('a server that hangs costs 50 ms once, whoever else waits is released, and it is used again when it answers', async (t) => {
  const server = await startRedis(t)
  const { put, timed, replies, meter } = await scene(t, server.url)
  await put(a)
  server.pause()
  const [first, second] = await Promise.all([timed(a), new Promise((resolve) => { setTimeout(resolve, 30) }).then(() => timed(a))])
  t.equal(first.ended, 'in time', `the first look-up took ${first.tookMs.toFixed(1)} ms`)
  t.ok(second.tookMs < first.tookMs, `one that began 30 ms later took ${second.tookMs.toFixed(1)} ms`)
  const after = await timed(a)
  t.equal(after.ended, 'at once', `and then ${after.tookMs.toFixed(2)} ms`)
  replies.put(idOf('b'), remembered('lost'))
  t.strictSame(meter.fills, ['stored', 'dropped'])
  t.equal(await replies.bury(a), 'unknown')
  await new Promise((resolve) => { setTimeout(resolve, 1500) })
  t.notOk(replies.answers, 'no probe was answered meanwhile')
  const many = await Promise.all(Array.from({ length: 200 }, () => timed(a)))
  t.ok(many.every(({ ended }) => ended === 'at once'), `200 look-ups of a hung server took ${Math.max(...many.map(({ tookMs }) => tookMs)).toFixed(2)} ms at most`)
  server.resume()
  await until(() => replies.answers && replies.takes)
  t.match(await replies.get(a), { operationRef: 'op_1' })
})

test('a server that is killed and comes back empty is a miss, then is filled again', async (t) => {
  const server = await startRedis(t)
  const { put, timed, replies } = await scene(t, server.url)
  await put(a)
  await server.kill()
  const gone = await timed(a)
  t.equal(gone.found, undefined)
  t.not(gone.ended, 'late', `a look-up took ${gone.tookMs.toFixed(1)} ms`)
  t.equal((await timed(a)).ended, 'at once')
  await server.restart()
  await until(() => replies.answers && replies.takes)
  t.equal(await replies.get(a), undefined)
  await put(a)
  t.ok(await replies.get(a))
})

test('a server that was never there is no trouble at the start', async (t) => {
  const { timed, replies, meter } = await sceneBefore(t, 'redis://127.0.0.1:1')
  t.equal((await timed(a)).ended, 'at once')
  replies.put(a, remembered('lost'))
  await new Promise((resolve) => { setTimeout(resolve, 500) })
  t.equal((await timed(a)).ended, 'at once')
  t.strictSame([meter.misses, meter.fills], [['unavailable', 'unavailable'], ['dropped']])
})

test('a server without memory answers look-ups and is not asked to take more', async (t) => {
  const server = await startRedis(t)
  const { put, replies, meter } = await scene(t, server.url)
  await put(a)
  await server.command('CONFIG', 'SET', 'maxmemory', '1')
  await put(idOf('b'))
  t.match(meter.fills, ['stored', 'failed'])
  t.notOk(replies.takes)
  t.ok(replies.answers && await replies.get(a), 'what it has it still gives')
  await put(idOf('c'))
  t.match(meter.fills, ['stored', 'failed', 'dropped'])
  await server.command('CONFIG', 'SET', 'maxmemory', '0')
  await until(() => replies.takes)
})

test('a replica that refuses writes is left for another connection, and answers look-ups', async (t) => {
  const master = await startRedis(t)
  const server = await startRedis(t)
  const { put, replies, meter } = await scene(t, server.url)
  await put(a)
  await master.command('SET', `onceward:reply:${idOf('x')}`, 'x')
  await server.command('CONFIG', 'SET', 'replica-serve-stale-data', 'yes')
  await server.command('REPLICAOF', '127.0.0.1', String(master.port))
  await put(idOf('b'))
  t.equal(meter.fills.at(-1), 'failed')
  t.notOk(replies.takes)
  await server.command('REPLICAOF', 'NO', 'ONE')
  await until(() => replies.takes && replies.answers)
  await put(idOf('c'))
  t.equal(meter.fills.at(-1), 'stored')
})

test('what is not ours under a key of ours is a miss, counted by what it is', async (t) => {
  const server = await startRedis(t)
  const { put, replies, meter } = await scene(t, server.url)
  await put(a)
  const other = idOf('other')
  await server.command('COPY', `onceward:reply:${a}`, `onceward:reply:${other}`)
  t.equal(await replies.get(other), undefined, 'the value of another id')
  await server.command('SET', `onceward:reply:${idOf('garbage')}`, 'garbage')
  t.equal(await replies.get(idOf('garbage')), undefined)
  await server.command('COPY', `onceward:reply:${a}`, `onceward:reply:${idOf('newer')}`)
  await server.command('SETRANGE', `onceward:reply:${idOf('newer')}`, '1', '\x02')
  t.equal(await replies.get(idOf('newer')), undefined, 'of another version')
  for (const length of [0, 1, 2, 17, 21]) {
    await server.command('SET', `onceward:reply:${idOf('short')}`, 'O\x01'.padEnd(length, 'x').slice(0, length))
    t.equal(await replies.get(idOf('short')), undefined)
  }
  await server.command('LPUSH', `onceward:reply:${idOf('list')}`, 'x')
  t.equal(await replies.get(idOf('list')), undefined, 'of another type')
  await server.command('SETRANGE', `onceward:reply:${a}`, '150', 'X')
  t.equal(await replies.get(a), undefined, 'a changed byte')
  t.strictSame(meter.misses, ['corrupt', 'foreign', 'foreign', 'foreign', 'foreign', 'corrupt', 'corrupt', 'corrupt', 'absent', 'corrupt'])
  t.ok(replies.answers, 'none of this is a trouble of the server')
})

test('the values of another installation are misses', async (t) => {
  const server = await startRedis(t)
  const one = await scene(t, server.url)
  const two = await scene(t, server.url, { secret: Buffer.alloc(32, 8).toString('base64url') })
  await one.put(a)
  t.equal(await two.replies.get(a), undefined)
  t.strictSame(two.meter.misses, ['corrupt'])
})

test('after a bury no fill brings the reply back, and other processes hear of it', async (t) => {
  const server = await startRedis(t)
  const [one, two] = [await scene(t, server.url), await scene(t, server.url)]
  const heard: string[] = []
  two.replies.onBuried((id) => heard.push(id))
  await one.put(a)
  while (heard.length === 0) { // the subscription may be younger than the first word
    t.equal(await one.replies.bury(a), 'buried')
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
  await two.put(a)
  t.equal(await two.replies.get(a), undefined)
  t.strictSame([heard[0], two.meter.fills, two.meter.misses], [a, ['present'], ['buried']])
})

test('FLUSHALL between a fill and its look-up is a miss', async (t) => {
  const server = await startRedis(t)
  const { put, replies, meter } = await scene(t, server.url)
  await put(a)
  await server.command('FLUSHALL')
  t.equal(await replies.get(a), undefined)
  t.strictSame(meter.misses, ['absent'])
})

test('what is to be remembered is bounded when Redis takes it slowly', async (t) => {
  const server = await startRedis(t)
  const { replies, meter } = await scene(t, server.url)
  server.pause()
  const body = new Uint8Array(1024 * 1024)
  for (let n = 0; n < 100; n += 1) replies.put(idOf(`big-${n}`), remembered('', { reply: { kind: 'kept', reply: { status: 200, headers: [], body, trailers: [] } } }))
  t.ok(meter.fills.filter((end) => end === 'dropped').length >= 84, 'of 100 MiB at most 16 wait')
  server.resume()
  await until(() => meter.fills.length === 100)
})

test('a process that is stuck for long does not blame Redis for it', async (t) => {
  const server = await startRedis(t)
  const { put, replies } = await scene(t, server.url)
  await put(a)
  const looking = replies.get(a)
  await Promise.resolve() // the command leaves in this turn
  await Promise.resolve()
  await Promise.resolve()
  for (const end = Date.now() + 120; Date.now() < end;);
  t.ok(await looking)
  t.ok(replies.answers)
})

test('words reach the waiters of other processes', async (t) => {
  const server = await startRedis(t)
  const [one, two, foreign] = [await scene(t, server.url), await scene(t, server.url), await scene(t, server.url, { service: 'another' })]
  let woken = 0
  const leave = two.redis.wakeups.wait(a, () => { woken += 1 })
  foreign.redis.wakeups.wait(a, () => t.fail('that is another service'))
  two.redis.wakeups.wait(idOf('b'), () => t.fail('that is another key'))
  await until(() => {
    one.redis.wakeups.publish([idOf('x'), a])
    return woken > 0
  })
  await server.restart()
  await until(() => one.replies.answers && two.replies.answers)
  const before = woken
  await until(() => {
    one.redis.wakeups.publish([a])
    return woken > before
  })
  leave()
  server.pause()
  for (let n = 0; n < 1000; n += 1) one.redis.wakeups.publish([a])
  server.resume()
})

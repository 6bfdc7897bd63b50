import { test } from 'tap'
import { parseRedisUrl } from '../../src/core/redis-target.ts'

const plain = { tls: false, login: null }

test('one server, sentinels or a cluster are named by a URL', (t) => {
  t.strictSame(parseRedisUrl('redis://cache'), { ...plain, kind: 'single', server: { host: 'cache', port: 6379 }, database: 0 })
  t.strictSame(parseRedisUrl('redis://cache:6380/'), { ...plain, kind: 'single', server: { host: 'cache', port: 6380 }, database: 0 })
  t.strictSame(parseRedisUrl('rediss://app:p%40ss%3A@[::1]:6380/3'), { tls: true, login: { user: 'app', password: 'p@ss:' }, kind: 'single', server: { host: '::1', port: 6380 }, database: 3 })
  t.match(parseRedisUrl('redis://:secret@cache'), { login: { user: null, password: 'secret' } })
  t.strictSame(parseRedisUrl('redis+sentinel://a,b:26380/main/2?sentinel_user=s&sentinel_password=t'), {
    ...plain, kind: 'sentinel', sentinels: [{ host: 'a', port: 26379 }, { host: 'b', port: 26380 }], master: 'main', database: 2, sentinelLogin: { user: 's', password: 't' },
  })
  t.match(parseRedisUrl('rediss+sentinel://a/main'), { tls: true, sentinelLogin: null })
  t.strictSame(parseRedisUrl('redis+cluster://a:7000,b'), { ...plain, kind: 'cluster', nodes: [{ host: 'a', port: 7000 }, { host: 'b', port: 6379 }] })
  t.end()
})

test('everything else is no Redis', (t) => {
  for (const text of [
    '', 'redis', 'redis:/a', 'http://a', 'redis://', 'redis:///0', 'redis://a:0', 'redis://a:65536', 'redis://a,b', 'redis://a/x', 'redis://a/0/1', 'redis://a?b=c', 'redis://a#b',
    'redis://user@a', 'redis://%zz:x@a', 'redis://a b', 'redis+sentinel://a', 'redis+sentinel://a/', 'redis+sentinel://a/m/0/1', 'redis+sentinel://a/m?password=x', 'redis+cluster://a/0', 'redis+cluster://a,,b', 'redis+other://a',
  ]) t.equal(parseRedisUrl(text), undefined, text)
  t.end()
})

import { test } from 'tap'
import { leadsTo, parseAddress, parseLoopback, parseOrigin, sameAddress } from '../../src/config/addresses.ts'

test('an address has a host and a port', (t) => {
  t.strictSame(parseAddress('127.0.0.1:8080'), { host: '127.0.0.1', port: 8080 })
  t.strictSame(parseAddress('[::1]:0'), { host: '::1', port: 0 })
  t.strictSame(parseAddress('localhost:65535'), { host: 'localhost', port: 65535 })
  for (const text of ['8080', ':8080', '127.0.0.1', '127.0.0.1:65536', '127.0.0.1:', '::1:80', '[::g]:80', '300.0.0.1:80', '1.2.3:80', 'a b:80', 'http://a:80', '']) {
    t.equal(parseAddress(text), undefined, text)
  }
  t.end()
})

test('only loopback addresses are loopback addresses', (t) => {
  for (const text of ['127.0.0.1:1', '127.9.9.9:1', '[::1]:1', 'localhost:1', 'LOCALHOST:1']) t.ok(parseLoopback(text), text)
  for (const text of ['0.0.0.0:1', '[::]:1', '10.0.0.1:1', 'localhost.example.com:1', '127.0.0.1.example.com:1', '128.0.0.1:1']) t.notOk(parseLoopback(text), text)
  t.end()
})

test('an origin has no path, query, fragment or password', (t) => {
  t.equal(parseOrigin('http://127.0.0.1:3000'), 'http://127.0.0.1:3000')
  t.equal(parseOrigin('https://API.example.com/'), 'https://api.example.com')
  t.equal(parseOrigin('http://[::1]:80'), 'http://[::1]')
  for (const text of ['127.0.0.1:3000', 'http://a/b', 'http://a?b', 'http://a#b', 'http://u:p@a', 'http://u@a', 'ftp://a', 'http://', 'http://a:99999', 'http:/a', 'http://a\\b', 'http://a b', '']) {
    t.equal(parseOrigin(text), undefined, text)
  }
  t.end()
})

test('an upstream that is the listener itself is seen', (t) => {
  const leads = (origin: string, listen: string) => leadsTo(origin, parseAddress(listen) ?? { host: 'none', port: 0 })
  t.ok(leads('http://127.0.0.1:8080', '127.0.0.1:8080'))
  t.ok(leads('http://localhost:8080', '127.0.0.1:8080'))
  t.ok(leads('http://127.0.0.1:8080', '0.0.0.0:8080'))
  t.ok(leads('http://[::1]:8080', '[::]:8080'))
  t.ok(leads('http://localhost', 'localhost:80'))
  t.ok(leads('https://localhost', 'localhost:443'))
  t.notOk(leads('http://127.0.0.2:8080', '127.0.0.1:8080'))
  t.notOk(leads('http://127.0.0.1:8081', '0.0.0.0:8080'))
  t.notOk(leads('http://api.example.com:8080', '0.0.0.0:8080'))
  t.end()
})

test('two listeners on any free port do not meet', (t) => {
  t.ok(sameAddress({ host: 'localhost', port: 1 }, { host: '127.0.0.1', port: 1 }))
  t.notOk(sameAddress({ host: '127.0.0.1', port: 0 }, { host: '127.0.0.1', port: 0 }))
  t.notOk(sameAddress({ host: '127.0.0.1', port: 1 }, { host: '127.0.0.1', port: 2 }))
  t.end()
})

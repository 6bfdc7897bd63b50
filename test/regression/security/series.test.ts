import { test } from 'tap'
import { Pool } from 'undici'
import { serverBehind } from '../../support/server-behind.ts'
import { startForTest } from '../../support/start-sidecar.ts'

const ASKED = 10_000
const TOGETHER = 50

test('ten thousand keys, paths, methods, tenants and hosts leave the number of series as it was', async (t) => {
  const upstream = await serverBehind(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'log: { level: silent }' })
  const series = async (): Promise<string[]> => (await (await fetch(`${sidecar.adminAddress}/metrics`)).text()).split('\n').filter((line) => line !== '' && !/^(#|nodejs_)/.test(line)) // which kinds of handles node has open is no client's word
  const before = await series()
  const pool = new Pool(sidecar.address, { connections: TOGETHER })
  t.teardown(() => pool.destroy())
  const methods = ['POST', 'PATCH', 'POST', 'GET', 'PUT', 'DELETE', 'PROPFIND', 'LINK', 'PURGE', 'REPORT', 'SEARCH', 'BIND', 'MKCOL', 'COPY']
  const numbers = Array.from({ length: ASKED }, (_, i) => i).values()
  await Promise.all(Array.from({ length: TOGETHER }, async () => {
    for (const i of numbers) {
      const method = methods[i % methods.length] ?? 'POST'
      const { body } = await pool.request({
        method, path: `/p${i}/x?q=${i}`,
        headers: { 'authorization': `Bearer ${i}`, 'idempotency-key': i % 100 === 0 ? '' : `k${i}`, 'x-tenant-id': `t${i}`, 'host': `h${i}.example`, 'user-agent': `ua${i}` },
      })
      await body.dump()
    }
  }))
  const after = await series()
  t.equal(after.length, before.length)
  t.same(after.map(nameOf), before.map(nameOf), 'the same ones')
  const counted = after.filter((line) => line.startsWith('http_request_outcome{')).reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  t.equal(counted, ASKED, 'and every request was counted in one of them')
})

function nameOf(line: string): string {
  return line.slice(0, line.lastIndexOf(' '))
}

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { test } from 'tap'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { serverBehind } from '../support/server-behind.ts'
import { startForTest } from '../support/start-sidecar.ts'

needs(t, 'postgres')

const secretOf = (byte: number): string => Buffer.alloc(32, byte).toString('base64')

function yaml(...keys: readonly string[]): string {
  const list = keys.map((id) => `{ id: ${id}, secret: ${secretOf(id.charCodeAt(0))} }`).join(', ')
  return `defaults: { idempotency: { anonymous: share } }\n${keys.length === 0 ? '' : `store: { sealing: { keys: [${list}] } }`}`
}

test('stored replies are sealed on the disk, through the replacement of a key and until their key is taken out', async (t) => {
  const upstream = await serverBehind(t, (response) => response.setHeader('x-account', 'account 4711').end('balance 100'))
  const dataDir = mkdtempSync(join(tmpdir(), 'onceward-sealing-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  const run = async (keys: readonly string[], work: (sidecar: Awaited<ReturnType<typeof startForTest>>) => Promise<void>): Promise<void> => {
    const sidecar = await startForTest(t, upstream.origin, { yaml: yaml(...keys), dataDir })
    await work(sidecar)
    await sidecar.stop()
  }
  await run(['a'], async (sidecar) => {
    t.match(await sidecar.post('sealed'), { status: 200, body: 'balance 100' })
    t.match(await sidecar.post('sealed'), { status: 200, body: 'balance 100', headers: { 'x-account': 'account 4711', 'idempotent-replayed': 'true', 'onceward-sealed': undefined } })
  })
  t.ok(onDisk(dataDir).includes('onceward-sealed') && !/balance 100|account 4711/.test(onDisk(dataDir)), 'nothing of it is readable')
  await run([], async (sidecar) => void await sidecar.post('open'))
  t.ok(onDisk(dataDir).includes('balance 100'), 'as it is without keys')
  await run(['b', 'a'], async (sidecar) => void t.match(await sidecar.post('sealed'), { body: 'balance 100' }))
  await run(['b'], async (sidecar) => {
    t.match(await sidecar.post('sealed'), { status: 503, problem: 'store-unavailable' })
    t.match(await sidecar.post('open'), { body: 'balance 100' }, 'what was stored without keys')
  })
  t.equal(upstream.requests.length, 2, 'nothing ran again')
})

test('in Postgres, too', async (t) => {
  const upstream = await serverBehind(t, (response) => response.setHeader('x-account', 'account 4711').end('balance 100'))
  const url = await postgresUrl()
  const on = (store: string): string => `store: { postgres: "${url}"${store} }`
  const sealed = await startForTest(t, upstream.origin, { yaml: on(`, sealing: { keys: [{ id: a, secret: ${secretOf(1)} }] }`) })
  t.match(await sealed.post('k'), { status: 200, body: 'balance 100' })
  const other = await startForTest(t, upstream.origin, { yaml: on(`, sealing: { keys: [{ id: b, secret: ${secretOf(2)} }, { id: a, secret: ${secretOf(1)} }] }`) })
  t.match(await other.post('k'), { body: 'balance 100', headers: { 'x-account': 'account 4711', 'idempotent-replayed': 'true' } })
  const without = await startForTest(t, upstream.origin, { yaml: on('') })
  t.match(await without.post('k'), { status: 503, problem: 'store-unavailable' })
  t.equal(upstream.requests.length, 1)
})

function onDisk(folder: string): string {
  return readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1')).join('')
}

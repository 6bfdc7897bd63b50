import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import type { Test } from 'tap'
import { startPostgres, type PostgresServer } from '../../support/services/postgres.ts'
import { SidecarProcess } from '../../support/sidecar-process.ts'

/* A sidecar in a process of its own on a Postgres of its own, with events that wait there as completions leave them. */

const ONCEWARD = fileURLToPath(new URL('../../../src/onceward.js', import.meta.url))

export interface Filling {
  readonly events: number
  readonly lanes: number
  /** how old they are */
  readonly agedMs: number
  /** what their lanes and ids begin with */
  readonly name: string
}

export interface RelayScene {
  readonly sidecar: SidecarProcess
  /** another process of the fleet, not started yet */
  readonly second: SidecarProcess
  readonly postgres: PostgresServer
  fill(filling: Filling): Promise<void>
  /** its rows are there at once, and nobody sees them until the returned function commits */
  fillOpen(filling: Filling): Promise<() => Promise<void>>
  count(where: string): Promise<number>
  /** resolves when no event is left; or after `withinMs`, and then the count tells */
  emptied(withinMs: number): Promise<void>
  /** as an operator does it; what the tool said, and its exit code */
  redrive(id: string): { readonly status: number | null, readonly output: string }
}

/** A receiver that is told which process calls. */
export function webhookAt(url: string): (process: string) => string {
  return (process) => `webhook: { url: { plain_http: "${url}" }, allow: [127.0.0.0/8], timeout: 5s, headers: { x-process: ${process} } }`
}

/** `receiver` and `sink` are what stands under `sinks.hook`. */
export async function relayScene(t: Pick<Test, 'teardown'>, receiver: (process: string) => string, sink: string): Promise<RelayScene> {
  const postgres = await startPostgres(t, { settings: { shared_buffers: '64MB' } })
  const dataDir = mkdtempSync(join(tmpdir(), 'onceward-relay-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  const config = join(dataDir, 'one.yaml')
  for (const name of ['one', 'two']) writeFileSync(join(dataDir, `${name}.yaml`), `
service: relay-chaos
upstream: http://127.0.0.1:1
log: { level: info }
store: { postgres: { url: "${postgres.url}", durability: local } }
sinks:
  hook:
    ${receiver(name)}
${sink.trim().split('\n').map((line) => `    ${line.trim()}`).join('\n')}
`)
  const sidecar = new SidecarProcess({ dataDir, config })
  const second = new SidecarProcess({ dataDir, config: join(dataDir, 'two.yaml') })
  t.teardown(async () => { await Promise.all([sidecar.kill(), second.kill()]) })
  const onceward = (...args: string[]): { status: number | null, output: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [ONCEWARD, ...args, '--config', config], { encoding: 'utf8', timeout: 30_000, env: { PATH: process.env['PATH'] ?? '' } })
    return { status, output: `${stdout}${stderr}` }
  }
  const migrated = onceward('migrate')
  if (migrated.status !== 0) throw new Error(migrated.output)
  return {
    sidecar, second, postgres,
    fill: async (filling) => { await (await filled(postgres.url, filling))() },
    fillOpen: (filling) => filled(postgres.url, filling),
    redrive: (id) => onceward('dead-letters', 'redrive', '--id', id, '--reason', 'the receiver was mended'),
    async emptied(withinMs) {
      for (const from = performance.now(); performance.now() < from + withinMs && await rows(postgres, 'true') > 0;) await new Promise((resolve) => { setTimeout(resolve, 100) })
    },
    count: (where) => rows(postgres, where),
  }
}

async function rows(postgres: PostgresServer, where: string): Promise<number> {
  return Number((await postgres.query(`SELECT count(*) AS n FROM onceward.outbox_event WHERE ${where}`))[0]?.['n'])
}

const FILL = `
  INSERT INTO onceward.outbox_event (id, sink, lane, type, payload, committed_at)
  SELECT 'evt_' || $4::text || '_' || i, 'hook', $4::text || '-' || (i % $2::int), 'chaos.happened',
         convert_to('{"lane":"' || $4::text || '-' || (i % $2::int) || '","place":' || (i / $2::int + 1) || '}', 'UTF8'),
         floor(extract(epoch FROM now()) * 1000) - $3::bigint
    FROM generate_series(0, $1::int - 1) i ORDER BY i`

async function filled(url: string, { events, lanes, agedMs, name }: Filling): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  await client.query('BEGIN')
  await client.query(FILL, [events, lanes, agedMs, name])
  return async () => {
    await client.query('COMMIT')
    await client.end()
  }
}

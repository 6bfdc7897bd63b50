import type { Client } from 'pg'
import { chance } from '../chaos/chance.ts'
import type { ApplicationTable } from './application-table.ts'

export interface Row {
  readonly order: number
  readonly id: string
  readonly lane: string
}

/** What transactions do that write events at the same time: they commit in another order than they number, some not at all, some late. */
export async function writeConcurrently(application: ApplicationTable, { writers, transactions, lanes, seed }: { readonly writers: number, readonly transactions: number, readonly lanes: number, readonly seed: number }): Promise<void> {
  await Promise.all(Array.from({ length: writers }, async (_, i) => {
    const client = await application.connect()
    const random = chance(seed, `writer ${i}`)
    for (let n = 0; n < transactions; n += 1) await transaction(client, random, lanes)
    await client.end()
  }))
}

async function transaction(client: Client, random: () => number, lanes: number): Promise<void> {
  await client.query('begin')
  const inserts = 1 + Math.floor(random() * 3)
  for (let k = 0; k < inserts; k += 1) {
    await client.query(`insert into outbox (aggregatetype, aggregateid, type, payload) values ('order', $1, 'order.created', jsonb_build_object('n', $2::int))`, [`lane-${Math.floor(random() * lanes)}`, k])
    if (random() < 0.3) await pause(random() * 15)
  }
  if (random() < 0.02) await pause(800) // one that stays open
  await client.query(random() < 0.15 ? 'rollback' : 'commit')
  if (random() < 0.3) await pause(random() * 10)
}

export async function writtenRows(application: ApplicationTable): Promise<Row[]> {
  const rows = await application.query('select seq, id, aggregateid from outbox order by seq')
  return rows.map(({ seq, id, aggregateid }) => ({ order: Number(seq), id: String(id), lane: String(aggregateid) }))
}

/** What is wrong with what was published of these rows: each of them once, and in the order of its lane. */
export function violations(written: readonly Row[], published: readonly string[]): string[] {
  const byId = new Map(written.map((row) => [row.id, row]))
  const seen = new Set<string>()
  const last = new Map<string, number>()
  const wrong: string[] = []
  for (const id of published) {
    const row = byId.get(id)
    if (row === undefined) wrong.push(`${id} was never committed`)
    else if (seen.has(id)) wrong.push(`row ${row.order} came twice`)
    else if ((last.get(row.lane) ?? 0) > row.order) wrong.push(`row ${row.order} came behind ${last.get(row.lane)} of its lane`)
    if (row !== undefined) last.set(row.lane, row.order)
    seen.add(id)
  }
  for (const { id, order } of written) if (!seen.has(id)) wrong.push(`row ${order} was skipped`)
  return wrong
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}

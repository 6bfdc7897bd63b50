import { readFileSync } from 'node:fs'
import { Client } from 'pg'

/*
 * A table of that many keys, filled in minutes: emptied and filled in one transaction, its indexes made when the rows are there,
 * which under wal_level=minimal writes no log. It is the product's table all the same: logged, and as its migration made it.
 */

const FILL = textOf('fill')
const SIZES = textOf('sizes')
const INDEXES = textOf('indexes')
const ROOM = textOf('room')

export interface Part { readonly name: string, readonly bytes: number }

/** Copies the one record that the database has; returns what the table and its indexes take. */
export async function fill(url: string, keys: number): Promise<readonly Part[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rows: indexes } = await client.query<{ name: string, definition: string }>(INDEXES)
    const { rows: [room] } = await client.query<{ claimed: number, completed: number }>(ROOM)
    await client.query('create temporary table model as select * from onceward.key_record')
    await client.query('begin')
    await client.query('truncate onceward.key_record')
    await client.query('alter table onceward.key_record drop constraint key_record_pkey')
    for (const { name } of indexes) await client.query(`drop index onceward.${name}`)
    await client.query(`alter table onceward.key_record set (fillfactor = ${room?.completed})`)
    await client.query(FILL, [keys])
    await client.query(`alter table onceward.key_record set (fillfactor = ${room?.claimed})`)
    await client.query('alter table onceward.key_record add primary key (id)')
    for (const { definition } of indexes) await client.query(definition)
    await client.query('commit')
    await client.query('vacuum analyze onceward.key_record')
    await client.query('checkpoint')
    return (await client.query<{ name: string, bytes: number }>(SIZES)).rows
  } finally {
    await client.end()
  }
}

function textOf(name: string): string {
  return readFileSync(new URL(`./${name}.sql`, import.meta.url), 'utf8')
}

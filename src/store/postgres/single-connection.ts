import { Client } from 'pg'
import type { Clock } from '../../core/ports.ts'
import { Connection } from './connection.ts'
import { serverUrls } from './server-urls.ts'

/** What the start and `onceward migrate` take for one connection, and for the statements on it. */
const PATIENCE_MS = 5000

/** A connection for a few statements in a row; the first server that answers. */
export async function withClient<T>(url: string, clock: Clock, work: (client: Client) => Promise<T>): Promise<T> {
  let trouble: unknown
  for (const server of serverUrls(url)) {
    let connection: Connection
    try {
      connection = await Connection.open(server, { clock, prepare: false, connectMs: PATIENCE_MS })
    } catch (error) {
      trouble = error
      continue
    }
    try {
      return await work(connection.client)
    } finally {
      await connection.close()
    }
  }
  throw new Error(`no connection to the database: ${trouble instanceof Error ? trouble.message : String(trouble)}`)
}

import type { Clock, Journal } from '../../core/ports.ts'
import { withClient } from './single-connection.ts'
import { readStatement } from './statements.ts'

/*
 * What a server promises, looked at once before it is trusted. `durability` says how much is asked of it:
 *
 *     replicated   a commit is on disk, and where there are standbys, on one of them too (the default)
 *     local        a commit is on this server's disk; a failover to a standby may lose keys, and they run again
 *     none         a commit may be lost with the server: for tests
 *
 * A server without standbys is fine under all three: there is nothing to fail over to.
 */

export type Durability = 'replicated' | 'local' | 'none'

/** 13 has gone out of support; the tests run on 14 to 18. */
const OLDEST_VERSION = 140_000

/** As the server says it; an empty text for what it has no word for, which other engines that speak its protocol may lack. */
export interface Engine {
  readonly version: number
  readonly encoding: string
  readonly inRecovery: boolean
  readonly fsync: string
  readonly fullPageWrites: string
  readonly synchronousCommit: string
  readonly synchronousStandbyNames: string
  readonly standbys: number
  readonly isolation: string
  readonly maxConnections: number
}

/** Logs what the server says of itself. Rejects with an Error that names everything that does not do. */
export async function checkEngine(url: string, { clock, journal, durability }: { readonly clock: Clock, readonly journal: Pick<Journal, 'info'>, readonly durability: Durability }): Promise<void> {
  const engine = await withClient(url, clock, async (client) => {
    const { rows } = await client.query<(string | null)[]>({ text: readStatement('engine', '').text, rowMode: 'array' })
    return engineOf(rows[0] ?? [])
  })
  const { version, fsync, synchronousCommit, synchronousStandbyNames, standbys, isolation, maxConnections } = engine
  journal.info('store.engine', { version, fsync, synchronousCommit, synchronousStandbyNames, standbys, isolation, maxConnections, durability })
  const objections = objectionsTo(engine, durability)
  if (objections.length > 0) throw new Error(`this database server is not to be trusted with keys: ${objections.join('; ')}`)
}

/** One sentence for each. */
export function objectionsTo(engine: Engine, durability: Durability): string[] {
  const objections: string[] = []
  if (engine.version < OLDEST_VERSION) objections.push(`it is version ${Math.floor(engine.version / 10_000)}, and 14 is the oldest that will do`)
  if (engine.encoding !== 'UTF8') objections.push(`the database's encoding is ${engine.encoding}, and has to be UTF8`)
  if (engine.inRecovery) objections.push('it is a standby: name the primary, or all servers of the cluster')
  if (durability === 'none') return objections
  const none = 'store: { durability: none } accepts that, for tests'
  if (engine.fsync === 'off') objections.push(`fsync is ${engine.fsync}: a crash of the machine loses or damages what was acknowledged (${none})`)
  if (engine.fullPageWrites === 'off') objections.push(`full_page_writes is ${engine.fullPageWrites}: a crash of the machine may damage pages (${none})`)
  if (engine.synchronousCommit === 'off') objections.push(`synchronous_commit is off: a crash of the server loses what was acknowledged (${none})`)
  if (durability === 'local') return objections
  const local = 'a failover may lose keys, which then run again; store: { durability: local } accepts that'
  const replicates = engine.synchronousStandbyNames !== ''
  if (engine.synchronousCommit === 'local' && (replicates || engine.standbys > 0)) objections.push(`synchronous_commit is local although there are standbys: ${local}`)
  else if (engine.standbys > 0 && !replicates) objections.push(`it has ${engine.standbys === 1 ? 'a standby that is asynchronous' : `${engine.standbys} standbys, all asynchronous`} (synchronous_standby_names is empty): ${local}`)
  return objections
}

/** Rejects with an Error that names what the account may not do. */
export async function checkPrivileges(url: string, schema: string, clock: Clock): Promise<void> {
  const missing = await withClient(url, clock, async (client) => {
    const { rows } = await client.query<(string | null)[]>({ text: readStatement('privileges', schema).text, rowMode: 'array' })
    return rows.map(([privilege]) => privilege)
  })
  if (missing.length > 0) throw new Error(`the database account lacks privileges in the schema ${schema}: ${missing.join(', ')}`)
}

function engineOf(row: readonly (string | null)[]): Engine {
  const [version, encoding = '', inRecovery, fsync = '', fullPageWrites = '', synchronousCommit = '', synchronousStandbyNames = '', standbys, isolation = '', maxConnections] = row
  return {
    version: Number(version), encoding: encoding ?? '', inRecovery: inRecovery === 'on', fsync: fsync ?? '', fullPageWrites: fullPageWrites ?? '',
    synchronousCommit: synchronousCommit ?? '', synchronousStandbyNames: synchronousStandbyNames ?? '', standbys: Number(standbys), isolation: isolation ?? '',
    maxConnections: Number(maxConnections),
  }
}

import { ids } from './columns.ts'
import type { Row } from './connection.ts'
import type { Link } from './link.ts'

/*
 * A wait for a standby that was cancelled, or that a crash of the server ended, leaves a commit that everybody can see and that
 * a failover would lose. Who made it is warned (see connection.ts); who reads it is not, and must not give it to a client
 * before a commit of its own has been waited for. The log is one: what stood in it before is then on the standby, too.
 */

/** By the column that has `synchronous_standby_names`; other engines have no such setting. */
export function isReplicated(row: Row, column: number): boolean {
  return typeof row[column] === 'string' && row[column] !== ''
}

/** False if the record is not completed any more, so that there was nothing to write. */
export async function isConfirmed(id: string, link: Link, until: number): Promise<boolean> {
  return (await link.connections.run(link.sql.confirm, [ids([{ id }])], until)).length > 0
}

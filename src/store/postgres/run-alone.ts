import { StoreUnavailable } from '../../core/ports.ts'
import type { Row, Value } from './connection.ts'
import { Refused } from './faults.ts'
import type { Link } from './link.ts'
import type { StatementName } from './statements.ts'

/** A statement that belongs to no batch, so that nobody else is to blame where the server does not take it. */
export async function runAlone({ connections, sql }: Link, name: StatementName, values: Value[]): Promise<readonly Row[]> {
  try {
    return await connections.run(sql[name], values, connections.deadline())
  } catch (error) {
    throw error instanceof Refused ? new StoreUnavailable('no', `${name}: ${error.message}`, error) : error
  }
}

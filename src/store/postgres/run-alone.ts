import { StoreUnavailable } from '../../core/ports.ts'
import type { Row, Value } from './connection.ts'
import { Refused } from './faults.ts'
import type { Link } from './link.ts'
import type { StatementName } from './statements.ts'

/** A statement that belongs to no batch, so that nobody else is to blame where the server does not take it. */
export async function runAlone({ connections, sql }: Link, name: StatementName, values: Value[]): Promise<readonly Row[]> {
  return unavailable(name, connections.run(sql[name], values, connections.deadline()))
}

/** Likewise several in one transaction, for what no single statement can say because it would change a table twice. Their rows, one by one. */
export async function runTogether({ connections, sql }: Link, steps: readonly (readonly [name: StatementName, values: Value[]])[]): Promise<readonly (readonly Row[])[]> {
  const names = steps.map(([name]) => name)
  return unavailable(names.join(' and '), connections.runTogether([[sql.begin, []], ...steps.map(([name, values]) => [sql[name], values] as const), [sql.commit, []]], connections.deadline()))
}

async function unavailable<Rows>(name: string, rows: Promise<Rows>): Promise<Rows> {
  try {
    return await rows
  } catch (error) {
    throw error instanceof Refused ? new StoreUnavailable('no', `${name}: ${error.message}`, error) : error
  }
}

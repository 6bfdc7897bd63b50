import t from 'tap'
import { needs } from '../support/services/needs.ts'
import { startPgBouncer } from '../support/services/pgbouncer.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { postgresShadow } from './postgres.ts'
import { shadowContract } from './shadow.ts'

needs(t, 'postgres', 'pgbouncer')

const { url } = await startPgBouncer(t, await postgresUrl())

shadowContract(t, postgresShadow({ prepare: false, url }))

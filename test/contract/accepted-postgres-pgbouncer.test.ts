import t from 'tap'
import { needs } from '../support/services/needs.ts'
import { startPgBouncer } from '../support/services/pgbouncer.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { acceptedWorkContract } from './accepted-work.ts'
import { postgresHarness } from './postgres.ts'

needs(t, 'postgres', 'pgbouncer')

const { url } = await startPgBouncer(t, await postgresUrl())

acceptedWorkContract(t, postgresHarness({ prepare: false, url }))

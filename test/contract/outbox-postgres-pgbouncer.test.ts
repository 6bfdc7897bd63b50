import t from 'tap'
import { needs } from '../support/services/needs.ts'
import { startPgBouncer } from '../support/services/pgbouncer.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { outboxStoreContract } from './outbox-store.ts'
import { postgresOutboxHarness } from './postgres.ts'

needs(t, 'postgres', 'pgbouncer')

const { url } = await startPgBouncer(t, await postgresUrl())

outboxStoreContract(t, postgresOutboxHarness({ prepare: false, partitions: 4, url }))

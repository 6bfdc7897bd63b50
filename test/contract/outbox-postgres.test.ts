import t from 'tap'
import { needs } from '../support/services/needs.ts'
import { outboxStoreContract } from './outbox-store.ts'
import { postgresOutboxHarness } from './postgres.ts'

needs(t, 'postgres')

outboxStoreContract(t, postgresOutboxHarness())

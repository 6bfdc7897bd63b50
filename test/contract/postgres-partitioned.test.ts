import t from 'tap'
import { needs } from '../support/services/needs.ts'
import { keyStoreContract } from './key-store.ts'
import { postgresHarness } from './postgres.ts'

needs(t, 'postgres')

keyStoreContract(t, postgresHarness({ partitions: 4 }))

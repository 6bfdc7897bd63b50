import t from 'tap'
import { needs } from '../support/services/needs.ts'
import { acceptedWorkContract } from './accepted-work.ts'
import { postgresHarness } from './postgres.ts'

needs(t, 'postgres')

acceptedWorkContract(t, postgresHarness())

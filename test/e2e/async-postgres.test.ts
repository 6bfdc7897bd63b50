import t from 'tap'
import { asyncCases } from '../support/async-cases.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'

needs(t, 'postgres')

asyncCases(t, { fresh: async () => `postgres: "${await postgresUrl()}"` })

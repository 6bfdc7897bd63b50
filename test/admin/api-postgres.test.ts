import t from 'tap'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { apiCases } from './api-cases.ts'

needs(t, 'postgres')

apiCases(t, { fresh: async () => `service: admin\nstore: { postgres: "${await postgresUrl()}" }\n` })

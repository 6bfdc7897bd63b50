import t from 'tap'
import { apiCases } from './api-cases.ts'

apiCases(t, { fresh: () => Promise.resolve('') })

import t from 'tap'
import { needs } from '../support/services/needs.ts'
import { sourceCases } from '../support/source-cases.ts'

needs(t, 'postgres') // the application's

sourceCases(t, () => Promise.resolve({ store: null }))

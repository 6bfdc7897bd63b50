import t from 'tap'
import { needs } from '../support/services/needs.ts'
import { postgresShadow } from './postgres.ts'
import { shadowContract } from './shadow.ts'

needs(t, 'postgres')

shadowContract(t, postgresShadow())

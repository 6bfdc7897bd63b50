import t from 'tap'
import { acceptedWorkContract } from './accepted-work.ts'
import { EMBEDDED } from './embedded.ts'

acceptedWorkContract(t, EMBEDDED)

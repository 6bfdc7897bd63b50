import t from 'tap'
import { EMBEDDED } from './embedded.ts'
import { keyStoreContract } from './key-store.ts'

keyStoreContract(t, EMBEDDED)

import { once } from 'node:events'
import { claimed, completion, HeldClock, request } from '../contract/situation.ts'
import { openEmbeddedStore } from '../../src/store/sqlite/key-store.ts'

/** Owns the database of the folder in argv, with one key in flight, until its stdin ends. */
const [, , dataDir = ''] = process.argv
const store = await openEmbeddedStore({ dataDir, clock: new HeldClock() })
const claim = await claimed(store, request('owned', '1'))
process.stdout.write('open\n')
process.stdin.resume()
await once(process.stdin, 'end')
const written = await store.complete(claim, completion('of the owner'))
await store.close()
process.exitCode = written === 'written' ? 0 : 1

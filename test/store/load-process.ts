import { claimed, completion, HeldClock, request } from '../contract/situation.ts'
import { openEmbeddedStore } from '../../src/store/sqlite/key-store.ts'

/** Claims and completes without end, many at a time, and writes a line for everything that it was told is durable. */
const [, , dataDir = '', round = ''] = process.argv
const store = await openEmbeddedStore({ dataDir, clock: new HeldClock() })
let next = 0

async function client(): Promise<never> {
  for (;;) {
    const name = `${round}-${next}`
    next += 1
    const claim = await claimed(store, request(name, '1'))
    process.stdout.write(`claimed ${name}\n`)
    if (await store.complete(claim, completion(`reply of ${name}`)) !== 'written') throw new Error('fenced without a reason')
    process.stdout.write(`completed ${name}\n`)
  }
}

await Promise.all(Array.from({ length: 16 }, client))

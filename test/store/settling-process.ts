import { StoreUnavailable } from '../../src/core/ports.ts'
import { openEmbeddedStore } from '../../src/store/sqlite/key-store.ts'
import { claimed, completion, HeldClock, request } from '../contract/situation.ts'

/** Settles sixty keys one by one, asks again whenever it gets no answer, and says so. */
const [, , dataDir = ''] = process.argv
const store = await openEmbeddedStore({ dataDir, clock: new HeldClock() })

async function insist<Result>(call: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      process.stdout.write(`unavailable ${error.written}\n`)
    }
  }
}

for (let n = 0; n < 60; n += 1) {
  const claim = await insist(() => claimed(store, request(`key-${n}`, '1')))
  if (await insist(() => store.complete(claim, completion(`reply ${n}`))) !== 'written') throw new Error('fenced without a reason')
  process.stdout.write(`settled key-${n}\n`)
}
await store.close()

import type { Test } from 'tap'
import type { ShadowRequest, ShadowStore } from '../../src/core/shadow.ts'
import { LEASE_MS, RETENTION_MS, type HeldClock } from './situation.ts'

/** A store of its own for one test, with a clock that the test sets. */
export interface OpenShadow {
  readonly shadow: ShadowStore
  readonly clock: HeldClock
  readonly close: () => Promise<void>
}

export function look(key: string, holder: string, changes: Partial<ShadowRequest> = {}): ShadowRequest {
  return {
    id: `${`id-of-${key}`.padEnd(42, '_')}w`, fingerprint: 'print-1'.padEnd(43, '_'), spec: '[2,"raw",[]]', parts: 'm.t.h.b',
    holder: holder.padEnd(22, '_'), leaseMs: LEASE_MS, retentionMs: RETENTION_MS, ...changes,
  }
}

const OTHER = { fingerprint: 'print-2'.padEnd(43, '_'), parts: 'm.t.h.x' }

export function shadowContract(t: Test, open: () => Promise<OpenShadow>): void {
  const situation = (name: string, tell: (t: Test, opened: OpenShadow) => Promise<void>): void => {
    void t.test(name, async (inner) => {
      const opened = await open()
      inner.teardown(() => opened.close())
      await tell(inner, opened)
    })
  }
  const end = (request: ShadowRequest, as: 'completed' | 'released' | 'uncertain') => ({ id: request.id, holder: request.holder, as })

  situation('a key is new once, then in flight, then replayed until its retention is over', async (inner, { shadow, clock }) => {
    const first = look('k', 'one')
    inner.strictSame(await shadow.look([first]), [{ kind: 'new' }])
    inner.strictSame(await shadow.look([look('k', 'two')]), [{ kind: 'in_flight' }])
    await shadow.end([end(first, 'completed')])
    inner.strictSame(await shadow.look([look('k', 'three')]), [{ kind: 'replay' }])
    clock.advance(RETENTION_MS)
    inner.strictSame(await shadow.look([look('k', 'four')]), [{ kind: 'new' }])
    inner.strictSame(await shadow.look([look('k', 'five')]), [{ kind: 'in_flight' }], 'the note is of the last one now')
  })

  situation('another request under the key is a mismatch, whatever became of the first, and tells the first one\'s parts', async (inner, { shadow }) => {
    const first = look('k', 'one')
    await shadow.look([first])
    inner.strictSame(await shadow.look([look('k', 'two', OTHER)]), [{ kind: 'mismatch', parts: 'm.t.h.b' }])
    await shadow.end([end(first, 'completed')])
    inner.strictSame(await shadow.look([look('k', 'three', OTHER)]), [{ kind: 'mismatch', parts: 'm.t.h.b' }])
  })

  situation('what was released is new again, also to another request', async (inner, { shadow }) => {
    const first = look('k', 'one')
    await shadow.look([first])
    await shadow.end([end(first, 'released')])
    inner.strictSame(await shadow.look([look('k', 'two', OTHER)]), [{ kind: 'new' }])
  })

  situation('a doubt and a lease that ended are uncertain, and an end that comes late counts', async (inner, { shadow, clock }) => {
    const [first, second] = [look('k', 'one'), look('l', 'one')]
    await shadow.look([first, second])
    await shadow.end([end(first, 'uncertain')])
    clock.advance(LEASE_MS)
    inner.strictSame(await shadow.look([look('k', 'two'), look('l', 'two')]), [{ kind: 'uncertain' }, { kind: 'uncertain' }])
    await shadow.end([end(second, 'completed')])
    inner.strictSame(await shadow.look([look('l', 'three')]), [{ kind: 'replay' }])
  })

  situation('only the request that made a note ends it', async (inner, { shadow }) => {
    const first = look('k', 'one')
    await shadow.look([first])
    for (const as of ['completed', 'released', 'uncertain'] as const) await shadow.end([end(look('k', 'two'), as), end(look('absent', 'two'), as)])
    inner.strictSame(await shadow.look([look('k', 'three')]), [{ kind: 'in_flight' }])
  })

  situation('a note of another specification is replaced', async (inner, { shadow }) => {
    await shadow.look([look('k', 'one')])
    inner.strictSame(await shadow.look([look('k', 'two', { spec: '[2,"json",[],[]]' })]), [{ kind: 'new' }])
    inner.strictSame(await shadow.look([look('k', 'three', { spec: '[2,"json",[],[]]' })]), [{ kind: 'in_flight' }])
  })

  situation('many at once are answered in their order', async (inner, { shadow }) => {
    await shadow.look([look('k3', 'one'), look('k1', 'one')])
    const asked = ['k9', 'k3', 'k5', 'k1', 'k2']
    inner.strictSame((await shadow.look(asked.map((key) => look(key, 'two')))).map(({ kind }) => kind), ['new', 'in_flight', 'new', 'in_flight', 'new'])
    inner.strictSame(await shadow.look([]), [])
  })

  situation('of two who look at the same keys at one time, one finds each of them new', async (inner, { shadow }) => {
    const keys = Array.from({ length: 50 }, (_, n) => `k${n}`)
    const [one, other] = await Promise.all([shadow.look(keys.map((key) => look(key, 'one'))), shadow.look(keys.toReversed().map((key) => look(key, 'two')))])
    inner.strictSame(one.map(({ kind }, i) => new Set([kind, other.at(-1 - i)?.kind])), keys.map(() => new Set(['new', 'in_flight'])))
  })

  situation('the sweep deletes what is past its retention and nothing else', async (inner, { shadow, clock }) => {
    await shadow.look([look('old-1', 'one'), look('old-2', 'one'), look('young', 'one', { retentionMs: 2 * RETENTION_MS })])
    inner.equal(await shadow.sweepShadow(10), 0)
    clock.advance(RETENTION_MS)
    inner.equal(await shadow.sweepShadow(1), 1)
    inner.equal(await shadow.sweepShadow(10), 1)
    inner.equal(await shadow.sweepShadow(10), 0)
    inner.strictSame(await shadow.look([look('young', 'two', { leaseMs: 1 })]), [{ kind: 'uncertain' }])
  })
}

import { test } from 'tap'
import { StoreUnavailable } from '../../src/core/ports.ts'
import type { Page, Position } from '../../src/core/source.ts'
import { SourceTrouble, type SourceTable } from '../../src/core/source-ports.ts'
import type { SourceRow, SourceSettings } from '../../src/core/source-settings.ts'
import { Bell } from '../../src/relay/bell.ts'
import { SourceReader, type SourceDependencies } from '../../src/relay/source.ts'
import { Term } from '../../src/relay/term.ts'
import { LocalWakeups } from '../../src/store/local-wakeups.ts'
import { sourceSettings } from '../support/application-table.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { MemoryOutboxStore } from '../support/memory-outbox-store.ts'

/** A table as a test writes it: rows that are visible, and whether a transaction runs. */
class ScriptedTable implements SourceTable {
  readonly #clock: FakeClock
  visible: number[] = []
  /** a transaction runs, and will do so */
  running = false
  /** looks are not answered */
  hangs = false
  #endLook: (() => void) | null = null
  trouble: string | null = null
  looks = 0
  closed = false

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  beginning: SourceTable['beginning'] = () => Promise.resolve({ cursor: 0n, gaps: [] })

  read: SourceTable['read'] = async ({ cursor, gaps }: Position): Promise<Page<SourceRow>> => {
    this.looks += 1
    if (this.trouble !== null) throw new SourceTrouble(this.trouble)
    if (this.hangs) await new Promise<void>((_, reject) => { this.#endLook = () => reject(new SourceTrouble('the connection was ended')) })
    const rows = this.visible.toSorted((a, b) => a - b).map(rowOf)
    return {
      rows: rows.filter(({ order }) => order > cursor), late: rows.filter(({ order }) => gaps.some(({ from, to }) => from <= order && order <= to)),
      isCut: { above: false, late: false }, xmin: this.running ? 90n : 100n, next: 100n, newest: rows.at(-1)?.order ?? null, at: this.#clock.wallMs(),
    }
  }

  close: SourceTable['close'] = () => {
    this.closed = true
    this.#endLook?.()
  }
}

function rowOf(order: number): SourceRow {
  return { order: BigInt(order), id: `e${order}`, lane: 'a', type: 'x', time: null, traceparent: null, payload: { kind: 'none' } }
}

/** In steps, each of which lets what was woken go on. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 250) await clock.advance(250)
}

interface Scene {
  readonly clock: FakeClock
  readonly store: MemoryOutboxStore
  readonly table: ScriptedTable
  readonly log: string[]
  readonly rung: string[]
  readonly bell: Bell
  readonly reader: (table?: SourceTable, holder?: string) => SourceReader
  readonly term: (holder?: string) => Promise<Term>
  readonly events: () => Promise<string[]>
}

function scene(changes: Partial<SourceSettings> = {}): Scene {
  const clock = new FakeClock()
  const store = new MemoryOutboxStore(clock)
  const table = new ScriptedTable(clock)
  const log: string[] = []
  const rung: string[] = []
  const note = (event: string, detail: Readonly<Record<string, string | number>>): void => { log.push(`${event} ${String(detail['error'] ?? detail['gaps'] ?? detail['rows'] ?? '')}`.trim()) }
  const bell = new Bell(new LocalWakeups(), clock)
  const deps = (of: SourceTable, holder: string): SourceDependencies => ({
    settings: sourceSettings('postgres://none', changes), table: of, service: 'shop', store, clock, random: { uniform: () => 0.5, token: () => holder },
    bell: { ring: (sink) => { rung.push(sink) }, ringVacant: (name) => bell.ringVacant(name), hearVacant: (name, wake) => bell.hearVacant(name, wake) },
    meter: { sources: () => undefined, brought: () => undefined, passed: () => undefined, stands: () => undefined, reads: () => undefined },
    journal: { info: note, warn: note, error: note },
  })
  return {
    clock, store, table, log, rung, bell,
    reader: (of = table, holder = 'me') => new SourceReader(deps(of, holder)),
    async term(holder = 'me') {
      const leadership = await store.lead('source:orders', holder, 10_000)
      if (leadership.kind !== 'leading') throw new Error('somebody else leads')
      return new Term(leadership.lead, clock.monotonicMs(), { store, clock, random: { uniform: () => 0.5 }, leaseMs: 10_000 })
    },
    async events() {
      const { events } = await store.take({ sink: 'payments', after: null, lanes: 100, perLane: 100, bytes: 1e6, busy: [] })
      return events.map(({ id }) => id)
    },
  }
}

test('a look commits events and position, rings the bell, and a look that finds nothing new writes nothing', async (t) => {
  const { table, store, rung, reader, term, events } = scene()
  table.visible = [1, 2]
  const [one, term1] = [reader(), await term()]
  t.strictSame(await one.look(term1), { taken: 2, held: 0, more: false })
  t.strictSame([await events(), rung], [['orders:e1', 'orders:e2'], ['payments']])
  store.outage = 'no'
  t.strictSame(await one.look(term1), { taken: 0, held: 0, more: false }, 'not even asked')
  term1.end('stopped')
})

test('what is missing is waited for, and taken in its place', async (t) => {
  const { clock, table, reader, term, events } = scene()
  table.visible = [1, 3]
  const [one, term1] = [reader(), await term()]
  t.strictSame(await one.look(term1), { taken: 1, held: 1, more: false })
  table.visible = [1, 2, 3]
  await clock.advance(50)
  t.strictSame(await one.look(term1), { taken: 2, held: 0, more: false })
  t.strictSame(await events(), ['orders:e1', 'orders:e2', 'orders:e3'])
  term1.end('stopped')
})

test('a commit whose result nobody knows is found when reading goes on: nothing comes twice', async (t) => {
  const { store, table, reader, term, events } = scene()
  table.visible = [1, 2]
  const [one, term1] = [reader(), await term()]
  const { bring } = store
  store.bring = async (...call) => {
    await bring(...call)
    store.bring = bring
    throw new StoreUnavailable('unknown', 'the connection was lost')
  }
  await t.rejects(one.look(term1), /the connection was lost/)
  table.visible = [1, 2, 3]
  t.equal(await one.look(term1), 'over', 'what stands there is not where this one began: it asks again')
  const two = reader()
  t.strictSame(await two.look(term1), { taken: 1, held: 0, more: false })
  t.strictSame(await events(), ['orders:e1', 'orders:e2', 'orders:e3'])
  term1.end('stopped')
})

test('a leader that was superseded while it read brings nothing', async (t) => {
  const { clock, table, reader, term, events } = scene()
  const [one, term1] = [reader(), await term()]
  t.match(await one.look(term1), { taken: 0 })
  clock.jump(11_000)
  const term2 = await term('other')
  table.visible = [1]
  t.equal(await one.look(term1), 'over', 'it knows that its trust has ended')
  t.strictSame(await reader().look(term2), { taken: 1, held: 0, more: false })
  t.strictSame(await events(), ['orders:e1'])
  term2.end('stopped')
})

test('trouble is told once for each cause, reading goes on when it is over, and a stop closes the table', async (t) => {
  const { clock, table, log, reader, events } = scene()
  table.trouble = '42501: permission denied'
  const one = reader()
  one.start()
  await pass(clock, 60_000)
  t.ok(table.looks >= 4 && table.looks < 120, `${table.looks} looks in a minute`)
  t.strictSame(log.filter((line) => line.startsWith('source.interrupted')), ['source.interrupted 42501: permission denied'])
  table.trouble = 'ECONNREFUSED'
  await pass(clock, 60_000)
  t.equal(log.filter((line) => line.startsWith('source.interrupted')).length, 2)
  table.trouble = null
  table.visible = [1]
  await pass(clock, 30_000)
  t.strictSame(await events(), ['orders:e1'])
  await one.stop()
  t.equal(table.closed, true)
  await one.stop()
})

test('a position that another version wrote is trouble, and not a beginning', async (t) => {
  const { store, table, log, reader, term, clock, events } = scene()
  const term1 = await term()
  await store.bring(term1.lead, 'orders', { events: [], from: null, to: '{"v":9}' })
  term1.end('stopped')
  await store.resign(term1.lead)
  table.visible = [1]
  const one = reader()
  one.start()
  await pass(clock, 10_000)
  await one.stop()
  t.match(log.join('\n'), 'written down by another version')
  t.strictSame(await events(), [])
})

test('what was rolled back is forgotten in the end, also where nothing else happens', async (t) => {
  const { clock, store, table, reader } = scene()
  table.visible = [1, 3]
  const one = reader()
  one.start()
  await pass(clock, 1000)
  t.equal(await store.position('orders'), '{"v":1,"cursor":"3","gaps":[["2","2"]]}')
  await pass(clock, 62_000)
  t.equal(await store.position('orders'), '{"v":1,"cursor":"3","gaps":[]}')
  await one.stop()
})

test('a look that is not answered does not hold up a stop, and is nobody\'s trouble then', async (t) => {
  const { clock, table, log, reader } = scene()
  const one = reader()
  one.start()
  await pass(clock, 250)
  table.hangs = true
  await pass(clock, 1000)
  await one.stop()
  t.equal(log.filter((line) => line.startsWith('source.interrupted')).length, 0)
})

test('numbers below the position are told of once, because nobody will find them', async (t) => {
  const { clock, table, log, reader, events } = scene()
  table.visible = [1, 2, 3]
  const one = reader()
  one.start()
  await pass(clock, 1000)
  table.visible = [1] // put back from a copy
  await pass(clock, 1000)
  t.notOk(log.includes('source.below-position'), 'it may have been deleted')
  table.visible = [1, 2]
  await pass(clock, 1000)
  table.visible = [1, 2, 3]
  await pass(clock, 1000)
  t.equal(log.filter((line) => line === 'source.below-position').length, 1)
  t.equal((await events()).length, 3)
  await one.stop()
})

test('the lag is that of what is held up, or of a table that cannot be read, and nothing where somebody else reads', async (t) => {
  const { clock, table, reader } = scene()
  const one = reader()
  one.start()
  await pass(clock, 500)
  t.equal(one.lagMs, 0)
  table.running = true
  table.visible = [2]
  await pass(clock, 4000)
  t.ok(one.lagMs > 3500 && one.lagMs <= 4000, `${one.lagMs}`)
  table.visible = [1, 2]
  await pass(clock, 2000)
  t.equal(one.lagMs, 0)
  const two = reader(table, 'other')
  two.start()
  await pass(clock, 500)
  t.equal(two.lagMs, 0, 'it follows')
  table.trouble = '42501: permission denied'
  await pass(clock, 5000)
  t.ok(one.lagMs > 4000, `${one.lagMs}`)
  await one.stop()
  await two.stop()
})

test('while something is held up the table is looked at less and less often, since each look reads all of it', async (t) => {
  const { clock, table, log, reader, events } = scene({ pollMs: 500 })
  table.running = true
  table.visible = [2]
  const one = reader()
  one.start()
  for (let ms = 0; ms < 11_000; ms += 10) await clock.advance(10)
  t.ok(table.looks < 40, `${table.looks} looks in eleven seconds`)
  t.strictSame(await events(), ['orders:e2'])
  t.ok(log.includes('source.passed-missing 1'))
  await one.stop()
})

test('who follows goes on at once when the one who reads stops', async (t) => {
  const { clock, table, reader, events } = scene()
  const [one, two] = [reader(), reader(table, 'other')]
  one.start()
  await pass(clock, 500)
  two.start()
  await pass(clock, 500)
  await one.stop()
  table.closed = false
  table.visible = [1]
  await pass(clock, 500)
  t.strictSame(await events(), ['orders:e1'], 'and not only when the lease of ten seconds has ended')
  await two.stop()
})

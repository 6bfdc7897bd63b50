import { OPERATIONS_SINK } from '../../core/operations.ts'
import { StoreUnavailable, type KeyStore } from '../../core/ports.ts'
import type { Act, AuditEntry, Census, Doubt, Eviction, Forgetting, KeyId, KeyRecord, Reaped, Resolution, Rest, Swept, WriteOutcome } from '../../core/record.ts'
import { ids, Packed } from './columns.ts'
import { isConfirmed, isReplicated } from './confirm.ts'
import type { Row, Value } from './connection.ts'
import { Refused } from './faults.ts'
import type { Link } from './link.ts'
import { auditEntryOf, doubtOf, idOf, number, recordOf, text } from './rows.ts'
import { runAlone, runTogether } from './run-alone.ts'
import { packEvents } from './settles.ts'
import type { StatementName } from './statements.ts'

/** Up to here the census counts records one by one. */
const COUNTED = 1000

/** What is asked about single records, by operators, upkeep and waiters: one statement each, and no batch. */
export class Records {
  readonly #link: Link

  constructor(link: Link) {
    this.#link = link
  }

  async resolve(id: KeyId, fence: number, resolution: Resolution, act: Act | null): Promise<WriteOutcome> {
    const front = [this.#link.now(), ids([{ id }]), fence, act?.by ?? null, act?.reason ?? null]
    const row = resolution.as === 'completed' ? await this.#complete([...front, ...replyColumns(resolution)], id, fence) : await this.#free([...front, resolution.operationRef])
    if (row?.[0] === 't') this.#link.wake([id])
    return row === undefined ? 'fenced' : 'written'
  }

  async #complete(values: Value[], id: KeyId, fence: number): Promise<Row | undefined> {
    const [resolved] = await runTogether(this.#link, [['resolve-completed', values], ['end-work', [ids([{ id }]), fence, OPERATIONS_SINK]]])
    return resolved?.[0]
  }

  /** A record is the one or the other for as long as its operation has it. */
  async #free(values: Value[]): Promise<Row | undefined> {
    const [freed] = await this.#run('resolve-not-executed', values)
    return freed ?? (await this.#run('resolve-work', values))[0]
  }

  async evict(id: KeyId, act: Act): Promise<Eviction> {
    const [answer] = await this.#settled('evict', [this.#link.now(), ids([{ id }]), act.by, act.reason])
    return answer === 'evicted' || answer === 'refused' ? answer : 'absent'
  }

  async forget(id: KeyId, act: Act): Promise<Forgetting> {
    const [answer, waiters] = await this.#settled('forget', [this.#link.now(), ids([{ id }]), act.by, act.reason, OPERATIONS_SINK])
    if (waiters === 't') this.#link.wake([id])
    return answer === 'forgotten' || answer === 'refused' ? answer : 'absent'
  }

  async audit(limit: number): Promise<readonly AuditEntry[]> {
    return (await this.#run('audit', [limit])).map(auditEntryOf)
  }

  async flag(id: KeyId): Promise<'flagged' | 'settled'> {
    const [answer] = await this.#settled('flag', [ids([{ id }])])
    return answer === 'flagged' ? answer : 'settled'
  }

  async find(by: Parameters<KeyStore['find']>[0], limit: number): Promise<readonly KeyRecord[]> {
    if (!('id' in by) && !('operationRef' in by)) return (await this.#found(by, limit)).map(recordOf)
    const until = this.#link.connections.deadline()
    for (;;) {
      const rows = await this.#found(by, limit)
      const records = rows.map(recordOf)
      // what is found by its id or its name is for a client who waits for it, or whose holder was fenced
      const doubtful = records.find(({ state }, i) => state === 'completed' && isReplicated(rows[i] ?? [], 25))
      if (doubtful === undefined || await this.#confirmed(doubtful.id, until)) return records
    }
  }

  async doubts(limit: number, { shortestMs, longestMs }: Rest): Promise<readonly Doubt[]> {
    return (await this.#run('doubts', [this.#link.now(), limit, shortestMs, longestMs])).map(doubtOf)
  }

  async reap(limit: number): Promise<Reaped> {
    const rows = await this.#run('reap', [this.#link.now(), limit])
    this.#link.wake(rows.flatMap((row) => (row[1] === 't' ? idOf(text(row, 0)) : [])))
    return { orphaned: rows.length }
  }

  async sweep(limit: number): Promise<Swept> {
    return { deleted: (await this.#run('sweep', [this.#link.now(), limit])).length }
  }

  async census(): Promise<Census> {
    const row = first(await this.#run('census', [COUNTED + 1, OPERATIONS_SINK]))
    const [inFlight, uncertain, completed, lookedAt] = [number(row, 0), number(row, 1), number(row, 2), number(row, 3)]
    if (lookedAt <= COUNTED) return { inFlight, uncertain, completed }
    return { inFlight, uncertain, completed: Math.max(completed, number(row, 4) - inFlight - uncertain - number(row, 5)) }
  }

  async secret(candidate: string): Promise<string> {
    return text(first(await this.#run('secret', [candidate])), 0)
  }

  async keySpace(seen: string | null, next: string): Promise<string> {
    return text(first(await this.#run('key-space', [seen, next])), 0)
  }

  #found(by: Parameters<KeyStore['find']>[0], limit: number): Promise<readonly Row[]> {
    if ('id' in by) return this.#run('keys-by-id', [ids([by]), limit])
    if ('keyDigest' in by) return this.#run('keys-by-digest', [by.keyDigest, limit])
    if ('operationRef' in by) return this.#run('keys-by-operation', [by.operationRef, limit])
    return by.state === 'accepted' ? this.#run('keys-accepted', [OPERATIONS_SINK, limit]) : this.#run('keys-by-state', [by.state, limit])
  }

  async #confirmed(id: KeyId, until: number): Promise<boolean> {
    try {
      return await isConfirmed(id, this.#link, until)
    } catch (error) {
      throw error instanceof Refused ? new StoreUnavailable('no', `confirm: ${error.message}`, error) : error
    }
  }

  /** Until a snapshot and the row agree. No columns for no row. */
  async #settled(name: StatementName, values: Value[]): Promise<Row> {
    for (;;) {
      const [row] = await this.#run(name, values)
      if (row === undefined || row[0] !== 'again') return row ?? []
    }
  }

  #run(name: StatementName, values: Value[]): Promise<readonly Row[]> {
    return runAlone(this.#link, name, values)
  }
}

/** Parameters $6 to $17 of resolve-completed.sql. */
function replyColumns({ reply, events }: Extract<Resolution, { as: 'completed' }>): Value[] {
  const packed = new Packed()
  const [names, sinks, lanes, types, begins, lengths, flaws] = packEvents(events.map((event) => ({ event })), packed)
  const stored = reply.kind === 'kept'
    ? [reply.reply.status, JSON.stringify(reply.reply.headers), JSON.stringify(reply.reply.trailers), Buffer.from(reply.reply.body)]
    : [reply.status, null, null, null]
  return [...stored, names ?? '{}', sinks ?? '{}', lanes ?? '{}', types ?? '{}', packed.bytes(), begins ?? '{}', lengths ?? '{}', flaws ?? '{}']
}

function first(rows: readonly Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new StoreUnavailable('no', 'the row of the installation is missing')
  return row
}

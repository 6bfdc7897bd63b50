import type { Client } from './connection.ts'

/*
 * The few commands that we use, in the form that each kind of Redis takes: a cluster knows no command over keys of several
 * nodes, and there ioredis gathers the single ones of a tick by node.
 */

export interface Entry {
  readonly key: string
  readonly value: Buffer
  readonly ttlMs: number
}

/** What stands under these keys, in order. Rejects if the server would not say it of any of them. */
export async function fetchValues(client: Client, keys: readonly string[]): Promise<(Buffer | null)[]> {
  if (!client.isCluster) return client.mgetBuffer([...keys]) // a key of another type is null here
  return Promise.all(keys.map(async (key) => {
    try {
      return await client.getBuffer(key)
    } catch (error) {
      if (isWrongType(error)) return null
      throw error
    }
  }))
}

/** Writes what has no value yet. One outcome per entry, in order: false if there was a value already, of any type. */
export async function fillAbsent(client: Client, entries: readonly Entry[]): Promise<(boolean | Error)[]> {
  if (client.isCluster) {
    const ends = await Promise.allSettled(entries.map(({ key, value, ttlMs }) => client.set(key, value, 'PX', ttlMs, 'NX')))
    return ends.map((end) => (end.status === 'fulfilled' ? end.value === 'OK' : asError(end.reason)))
  }
  const pipeline = client.pipeline()
  for (const { key, value, ttlMs } of entries) pipeline.set(key, value, 'PX', ttlMs, 'NX')
  const ends = await pipeline.exec() ?? []
  return entries.map((_, i) => {
    const [error, reply] = ends[i] ?? [new Error('no answer'), null]
    return error ?? reply === 'OK'
  })
}

/** Writes over whatever stands there. */
export async function overwrite(client: Client, { key, value, ttlMs }: Entry): Promise<void> {
  await client.set(key, value, 'PX', ttlMs)
}

function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('WRONGTYPE')
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('Redis failed', { cause: reason })
}

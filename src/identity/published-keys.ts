import { open } from 'node:fs/promises'
import { Agent, request } from 'undici'
import { asClaims, type KeyPlace } from '../core/token.ts'
import type { Clock } from '../core/ports.ts'

/** A set of some hundred keys; the largest public ones have about ten. */
const MOST_BYTES = 256 * 1024

/** From the look-up of the name to the last byte. A request waits for it, and clients do not wait long. */
const TIMEOUT_MS = 5000

/** Keys that cannot be had, with the reason for the log: no address, no content. */
export class KeysUnreadable extends Error {}

/**
 * Reads a JSON Web Key Set (RFC 7517 section 5) from a URL or a file. Redirects are not followed: they would lead
 * away from the address that the configuration trusts. Rejects with KeysUnreadable.
 */
export async function publishedKeys({ kind, place }: KeyPlace, agent: Agent, clock: Clock): Promise<object[]> {
  const bytes = kind === 'url' ? await fetched(place, agent, clock) : await readThrough(place)
  const keys = asClaims(parsed(bytes))?.['keys']
  const usable = Array.isArray(keys) ? keys.filter((key): key is object => typeof asClaims(key)?.['kty'] === 'string') : []
  if (usable.length === 0) throw new KeysUnreadable('it is not a set of keys')
  return usable
}

export function keyAgent(): Agent {
  return new Agent({ connections: 1, pipelining: 1, connect: { timeout: TIMEOUT_MS } })
}

async function fetched(url: string, dispatcher: Agent, clock: Clock): Promise<Uint8Array> {
  const limit = new AbortController()
  const cancel = clock.after(TIMEOUT_MS, () => limit.abort(new KeysUnreadable('it took too long')))
  try {
    const { statusCode, body } = await request(url, { dispatcher, signal: limit.signal, headers: { accept: 'application/jwk-set+json, application/json' } })
    // An error's content is nothing to us, and may never end.
    if (statusCode !== 200) limit.abort(new KeysUnreadable(`its status was ${statusCode}`))
    return await upTo(MOST_BYTES, body)
  } catch (error) {
    if (error instanceof KeysUnreadable) throw error
    throw new KeysUnreadable(`it could not be reached (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown'})`)
  } finally {
    cancel()
    limit.abort(new KeysUnreadable('it is over'))
  }
}

async function readThrough(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path)
    return await upTo(MOST_BYTES, file.createReadStream({ autoClose: false }))
  } catch (error) {
    if (error instanceof KeysUnreadable) throw error
    throw new KeysUnreadable(`it could not be read (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown'})`)
  }
}

async function upTo(most: number, stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > most) throw new KeysUnreadable(`it is larger than ${most} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new KeysUnreadable('it is not JSON')
  }
}

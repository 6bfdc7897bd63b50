import { createSecretKey } from 'node:crypto'
import { standardSignature } from '../core/webhook-signature.ts'

/**
 * Signs as Standard Webhooks 1.0 has it: one entry for each secret, so that receivers can change over from one to the next.
 * Null if there is no secret. The id has no dot in it.
 */
export function webhookSigner(secrets: readonly Uint8Array[]): (id: string, timestamp: string, body: Uint8Array) => string | null {
  const keys = secrets.map((secret) => createSecretKey(secret))
  return (id, timestamp, body) => keys.length === 0 ? null : keys.map((key) => `v1,${standardSignature(key, id, timestamp, body)}`).join(' ')
}

/** What the loads send, and how they see that an answer is whole. */
const BODY = JSON.stringify({ amount: 2000, currency: 'eur', source: 'tok_visa', description: 'one charge among many', metadata: { order: '6735' } })

/** Replays draw from this many keys, as retries of a busy service would: numbers from 1 on. */
export const KEYS_TO_REPLAY = 500

export const ANSWERED = 'HTTP/1.1 200'

/** One request of a client with a credential; without a key if it is null. */
export function request(port: number, key: string | null): string {
  const field = key === null ? '' : `Idempotency-Key: "${key}-6f1c2f36-8f0e"\r\n`
  return `POST /v1/charges HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: bench\r\nAuthorization: Bearer sk_test_4eC39HqLyjWDarjtT1zdp7dc\r\nContent-Type: application/json\r\n${field}Content-Length: ${BODY.length}\r\n\r\n${BODY}`
}

/** Whether an answer is there with all of its content; the upstream's have a length. */
export function framed(received: string): boolean {
  const head = received.indexOf('\r\n\r\n')
  if (head === -1) return false
  const length = /content-length: (\d+)/i.exec(received)?.[1]
  return length !== undefined && received.length >= head + 4 + Number(length)
}

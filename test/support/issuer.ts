import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose'
import type { Test } from 'tap'

/** One key pair of an issuer. */
export interface SigningKey {
  readonly alg: string
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly published: JWK
}

/** An issuer on the loopback: it publishes what `keys` holds, or does what `answer` says. */
export interface Issuer {
  readonly jwks: string
  keys: readonly JWK[]
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | null
  reads(): number
}

export async function signingKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { alg, kid, privateKey, published: { ...await exportJWK(publicKey), kid, alg, use: 'sig' } }
}

export async function startIssuer(t: Test, ...keys: readonly SigningKey[]): Promise<Issuer> {
  let reads = 0
  const server = createServer((request, response) => {
    reads += 1
    if (issuer.answer !== null) return issuer.answer(request, response)
    response.setHeader('content-type', 'application/jwk-set+json')
    response.end(JSON.stringify({ keys: issuer.keys }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  const issuer: Issuer = { jwks: `http://127.0.0.1:${port}/keys`, keys: keys.map(({ published }) => published), answer: null, reads: () => reads }
  return issuer
}

/** A token as its issuer would sign it; `header` overrides what stands in front. */
export function tokenOf({ alg, kid, privateKey }: SigningKey, claims: JWTPayload, header: { readonly kid?: string } | null = { kid }): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg, ...header }).sign(privateKey)
}

/** What anybody can write: a token whose signature nobody has made. */
export function unsignedToken(header: object, claims: unknown, signature = 'c2lnbmF0dXJl'): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part(header)}.${part(claims)}.${signature}`
}

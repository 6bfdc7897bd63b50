const BYTES = 32

/** 32 bytes in base64 or base64url, with or without padding; undefined for everything else. */
export function parseSecret(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return undefined
  const bytes = new Uint8Array(Buffer.from(text, 'base64'))
  return bytes.length === BYTES ? bytes : undefined
}

/** A key of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64; undefined for everything else. */
export function parseWebhookSecret(text: string): Uint8Array | undefined {
  const [, encoded = ''] = /^whsec_([A-Za-z0-9+/]{32,86}={0,2})$/.exec(text) ?? []
  const bytes = new Uint8Array(Buffer.from(encoded, 'base64'))
  // what Buffer reads is more than base64: it has to come back as it was written
  const same = Buffer.from(bytes).toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '')
  return same && bytes.length >= 24 && bytes.length <= 64 ? bytes : undefined
}

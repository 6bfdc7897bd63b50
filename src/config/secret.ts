const BYTES = 32

/** 32 bytes in base64 or base64url, with or without padding; undefined for everything else. */
export function parseSecret(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return undefined
  const bytes = new Uint8Array(Buffer.from(text, 'base64'))
  return bytes.length === BYTES ? bytes : undefined
}

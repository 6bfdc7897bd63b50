/** The chunks of a body as one; a single chunk, which most bodies are, is not copied. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [only, ...more] = chunks
  return only !== undefined && more.length === 0 ? only : Buffer.concat(chunks)
}

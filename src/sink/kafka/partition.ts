/** Which partition a key is in: as Apache's own clients choose it, so that whoever else writes to the topic agrees. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

/** MurmurHash2 by Austin Appleby (public domain), 32 bits, with the seed that Kafka gives it; signed, as in Java. */
export function murmur2(bytes: Uint8Array): number {
  const m = 0x5bd1e995
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const whole = bytes.length & ~3
  let hash = 0x9747b28c ^ bytes.length
  for (let at = 0; at < whole; at += 4) {
    let k = Math.imul(view.getInt32(at, true), m)
    k = Math.imul(k ^ (k >>> 24), m)
    hash = Math.imul(hash, m) ^ k
  }
  let tail = 0
  for (let at = bytes.length - 1; at >= whole; at -= 1) tail = (tail << 8) | (bytes[at] ?? 0)
  if (bytes.length > whole) hash = Math.imul(hash ^ tail, m)
  hash = Math.imul(hash ^ (hash >>> 13), m)
  return hash ^ (hash >>> 15)
}

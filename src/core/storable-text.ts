/**
 * A text as every store can keep it and give it back: Postgres has no NUL in its texts, and half of a surrogate pair is nothing in UTF-8.
 * What a client, an upstream or a receiver says may hold both, and must not make a write impossible.
 */
export function storableText(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed()
  return whole.includes('\0') ? whole.replaceAll('\0', '\uFFFD') : whole
}

/** The parts of a request by which two can differ; the order is that in which one is named where several do. */
export const DIFFERING_PARTS = ['method', 'path', 'header', 'body', 'other'] as const

/** `other`: no part is known to differ, as of a record whose parts this version cannot tell apart. */
export type DifferingPart = (typeof DIFFERING_PARTS)[number]

const BY_NAME: Readonly<Record<string, DifferingPart>> = { method: 'method', target: 'path', headers: 'header', body: 'body' }

/** Of the parts in which two requests differ, by their names in the problem (`differing` in fingerprint.ts), the first. */
export function firstPart(differs: readonly string[]): DifferingPart {
  return BY_NAME[differs[0] ?? ''] ?? 'other'
}

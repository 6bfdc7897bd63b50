/**
 * What is let through while the event loop is late. A request without a key goes first: whoever sent it can send it
 * again or go elsewhere, while one with a key may be the retry that finds out what has become of a payment. That one
 * is turned away past twice the limit, where answering late would be no answer.
 */
export type Traffic = 'passed' | 'guarded'

export function isShed(traffic: Traffic, delayMs: number, limitMs: number): boolean {
  switch (traffic) {
    case 'passed': return delayMs > limitMs
    case 'guarded': return delayMs > 2 * limitMs
    default: return traffic satisfies never
  }
}

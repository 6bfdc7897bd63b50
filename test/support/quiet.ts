import type { Journal, Meter } from '../../src/core/ports.ts'
import type { Census } from '../../src/core/record.ts'
import type { GaveUp } from '../../src/core/retry.ts'

/** A journal that keeps the names of its events. */
export class NotedJournal implements Journal {
  readonly events: string[] = []
  settled(): void { this.events.push('request.settled') }
  error(event: string): void { this.events.push(event) }
  warn(event: string): void { this.events.push(event) }
  info(event: string): void { this.events.push(event) }
  routine(event: string): void { this.events.push(event) }
}

/** A meter that keeps the last census. */
export class NotedMeter implements Meter {
  last: Census | null = null
  readonly reloads: string[] = []
  key(): void {}
  mismatch(): void {}
  took(): void {}
  answered(): void {}
  routes(): void {}
  reloaded(result: string): void { this.reloads.push(result) }
  unguarded(): void {}
  failedOpen(): void {}
  limited(): void {}
  readonly probes: string[] = []
  probed(end: string): void { this.probes.push(end) }
  readonly hits: string[] = []
  readonly misses: string[] = []
  readonly fills: string[] = []
  cacheHit(tier: string): void { this.hits.push(tier) }
  cacheMiss(why: string): void { this.misses.push(why) }
  cacheFill(end: string): void { this.fills.push(end) }
  readonly delaysMs: number[] = []
  readonly givenUp: GaveUp[] = []
  retried(_retry: number, delayMs: number): void { this.delaysMs.push(delayMs) }
  gaveUp(why: GaveUp): void { this.givenUp.push(why) }
  census(census: Census): void { this.last = census }
}

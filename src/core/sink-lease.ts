import type { Leadership } from './outbox.ts'

/** Who leads for a sink, as a store keeps it. `holder` is null after a resignation; the fence stays, so that it only ever rises. */
export interface SinkLease {
  readonly holder: string | null
  readonly fence: number
  readonly leaseUntil: number
}

/** The lease after `holder` asked for it, and what it is told. Undefined: nobody ever led. */
export function onLead(standing: SinkLease | undefined, sink: string, holder: string, leaseMs: number, nowMs: number): { readonly lease: SinkLease, readonly leadership: Leadership } {
  if (standing !== undefined && standing.holder !== null && standing.holder !== holder && standing.leaseUntil > nowMs) {
    return { lease: standing, leadership: { kind: 'following', againMs: standing.leaseUntil - nowMs } }
  }
  const fence = standing === undefined ? 1 : standing.holder === holder ? standing.fence : standing.fence + 1
  return { lease: { holder, fence, leaseUntil: nowMs + leaseMs }, leadership: { kind: 'leading', lead: { sink, holder, fence } } }
}

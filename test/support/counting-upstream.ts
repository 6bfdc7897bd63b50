import type { Test } from 'tap'
import { respond, scriptedUpstream } from './scripted-upstream.ts'

export interface CountingUpstream {
  readonly origin: string
  executions(): number
  /** keys that ran more than once */
  doubles(): number
  /** resolves once so many requests have arrived */
  began(count?: number): Promise<void>
}

/** Executes whatever it reads, after `delayMs`, and answers how often it has executed anything. */
export async function countingUpstream(t: Test, delayMs = 0): Promise<CountingUpstream> {
  const runs = new Map<string, number>()
  let watchers: { readonly count: number, readonly resolve: () => void }[] = []
  const { origin, requests } = await scriptedUpstream(t, ({ socket, request, number }) => {
    const key = /^idempotency-key: *(.*?)\r$/im.exec(request)?.[1] ?? ''
    runs.set(key, (runs.get(key) ?? 0) + 1)
    setTimeout(() => respond(socket, 200, `execution ${number}`), delayMs)
    for (const { count, resolve } of watchers) if (number >= count) resolve()
    watchers = watchers.filter(({ count }) => number < count)
  })
  return {
    origin,
    executions: () => requests.length,
    doubles: () => [...runs.values()].filter((count) => count > 1).length,
    began: (count = 1) => new Promise((resolve) => {
      if (requests.length >= count) resolve()
      else watchers.push({ count, resolve })
    }),
  }
}

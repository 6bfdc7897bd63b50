import type { Test } from 'tap'
import { respond, scriptedUpstream, type ScriptedUpstream } from './scripted-upstream.ts'

export interface HeldUpstream extends ScriptedUpstream {
  /** Resolves once so many requests have arrived. */
  arrived(count: number): Promise<void>
  /** Answers every request that waits, and from now on each at once: `n1`, `n2`, ... */
  letGo(): void
}

/** An upstream that has read its requests and answers none of them before it is told to. */
export async function heldUpstream(t: Test): Promise<HeldUpstream> {
  const waiting: (() => void)[] = []
  const watchers: (() => void)[] = []
  let open = false
  const upstream = await scriptedUpstream(t, ({ socket, number }) => {
    const answer = (): void => respond(socket, 200, `n${number}`)
    if (open) answer()
    else waiting.push(answer)
    for (const watch of watchers) watch()
  })
  return {
    ...upstream,
    arrived: (count) => new Promise((resolve) => {
      const watch = (): void => { if (upstream.requests.length >= count) resolve() }
      watchers.push(watch)
      watch()
    }),
    letGo: () => {
      open = true
      for (const answer of waiting.splice(0)) answer()
    },
  }
}

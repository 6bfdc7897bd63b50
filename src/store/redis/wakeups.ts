import type { Wakeups } from '../../core/ports.ts'
import { LocalWakeups } from '../local-wakeups.ts'
import type { Words } from './words.ts'

/** Wake-ups between processes that share a Redis: one subscription for all that wait in this one. */
export function redisWakeups(words: Words): Wakeups {
  const waiting = new LocalWakeups()
  words.hear('wake', (id) => waiting.publish([id]))
  return {
    wait: (id, wake) => waiting.wait(id, wake),
    publish: (ids) => words.say('wake', ids), // this process hears it, too
    close: () => waiting.close(), // the connections belong to whoever opened them
  }
}

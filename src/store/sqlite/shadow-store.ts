import type { ShadowEnd, ShadowRequest, ShadowStore, ShadowVerdict } from '../../core/shadow.ts'
import type { GroupCommit } from '../group-commit.ts'
import { surprised, type Answered, type WrittenCall } from './connection.ts'
import type { ShadowCall } from './wire.ts'

/** The notes of shadowed routes, in the worker's batches beside claims and completions. */
export class EmbeddedShadowStore implements ShadowStore {
  readonly #calls: GroupCommit<WrittenCall, Answered>

  constructor(calls: GroupCommit<WrittenCall, Answered>) {
    this.#calls = calls
  }

  async look(requests: readonly ShadowRequest[]): Promise<readonly ShadowVerdict[]> {
    const { answer } = await this.#ask(['shadow-look', requests])
    return answer[0] === 'shadows' ? answer[1] : surprised(answer)
  }

  async end(ends: readonly ShadowEnd[]): Promise<void> {
    const { answer } = await this.#ask(['shadow-end', ends])
    if (answer[0] !== 'written') surprised(answer)
  }

  async sweepShadow(limit: number): Promise<number> {
    const { answer } = await this.#ask(['shadow-sweep', limit])
    return answer[0] === 'count' ? answer[1] : surprised(answer)
  }

  #ask(call: ShadowCall): Promise<Answered> {
    return this.#calls.submit(() => call, 0)
  }
}

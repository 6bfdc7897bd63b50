import type { Delivery, Outgoing } from '../core/delivery.ts'
import { OPERATIONS_SINK, type Executed, type Executor, type Waiting } from '../core/operations.ts'
import type { Sink } from '../core/outbox-ports.ts'

/** As many as anybody may configure; the settings say how many there are. */
const MOST_AT_ONCE = 1024

/** In the words of dead letters and of their history. */
const WHY: Readonly<Record<Waiting, string>> = {
  'busy': 'another process is executing it',
  'unsure': 'its outcome is being found out',
  'other-rules': 'no route of its name guards what it is for',
  'store': 'the key store did not answer',
  'draining': 'this process is stopping',
  'unreadable': 'another version of onceward stored it, and this one cannot read it',
}

/**
 * The sink whose receiver is ourselves: each event is a request that was accepted, and delivering it means executing it. Who loses
 * the lead stops waiting, and what it began goes on by itself: the claim keeps the next leader from beginning it again.
 */
export function openAcceptedSink(executor: Executor): Sink {
  return {
    name: OPERATIONS_SINK,
    kind: 'operations',
    shape: { events: 1, perLane: 1, bytes: Number.MAX_SAFE_INTEGER },
    atOnce: MOST_AT_ONCE,
    settledFirst: false,
    begin: async () => undefined,
    deliver: (batch, signal) => Promise.all(batch.map((event) => deliver(event, signal))),
    close: async () => undefined,
  }

  function deliver({ payload }: Outgoing, signal: AbortSignal): Promise<Delivery> {
    if (signal.aborted) return Promise.resolve(LET_GO)
    return new Promise((resolve, reject) => {
      const letGo = (): void => resolve(LET_GO)
      signal.addEventListener('abort', letGo, { once: true })
      executor.execute(payload).then((executed) => resolve(deliveryOf(executed)), reject).finally(() => signal.removeEventListener('abort', letGo))
    })
  }
}

const LET_GO: Delivery = { kind: 'postponed', cause: 'this process stopped waiting for it', afterMs: 0 }

function deliveryOf(executed: Executed): Delivery {
  switch (executed.kind) {
    case 'completed': return { kind: 'delivered' }
    case 'released': return { kind: 'retryable', cause: executed.cause, blame: executed.blame, notBeforeMs: executed.notBeforeMs }
    case 'resent': return { kind: 'retryable', cause: executed.cause, blame: 'event', notBeforeMs: null }
    case 'doubt': return { kind: 'refused', reason: `nobody knows whether it was executed (${executed.cause}): resolve its key first, a redrive before that ends here again` }
    case 'waiting': return { kind: 'postponed', cause: WHY[executed.why], afterMs: executed.againMs }
    case 'gone': return { kind: 'refused', reason: 'its key is gone: it was freed, or its retention has ended' }
    default: return executed satisfies never
  }
}

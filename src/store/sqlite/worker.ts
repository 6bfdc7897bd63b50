import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { Engine } from './engine.ts'
import { CLOSE, type Answers, type Batch, type Greeting, type WorkerOptions } from './wire.ts'

/*
 * The thread that owns the database: one batch in, one message out. It decides nothing about when (the main thread
 * has the queue and the clock) and imports little, since every module here is loaded a second time.
 */

export type WorkerData = WorkerOptions & { readonly nowMs: number }

const given: WorkerData = workerData
if (parentPort !== null) serve(parentPort, given)

function serve(port: MessagePort, { nowMs, ...options }: WorkerData): void {
  let engine: Engine
  try {
    engine = new Engine(options, nowMs)
  } catch (error) {
    port.postMessage(['refused', error instanceof Error ? error.message : String(error)] satisfies Greeting)
    return
  }
  port.on('message', (message: Batch | typeof CLOSE) => {
    if (message === CLOSE) {
      engine.close()
      port.close()
      return
    }
    const answers: Answers = engine.run(message)
    port.postMessage(answers, [answers[2].buffer])
    engine.fold(message[0])
  })
  port.postMessage(['opened'] satisfies Greeting)
}

export interface Deferred<Value> {
  readonly promise: Promise<Value>
  readonly resolve: (value: Value) => void
}

/** A promise that the test keeps when it wants to. */
export function deferred<Value>(): Deferred<Value> {
  const { promise, resolve } = Promise.withResolvers<Value>()
  return { promise, resolve }
}

import { beneath, modeOf } from './consumer.ts'
import { wrongValue, type Locate, type Mistake, type Path } from './mistakes.ts'
import { OPERATIONS } from './operations-schema.ts'
import { IDEMPOTENCY } from './policy-schema.ts'
import type { Draft } from './schema.ts'
import { parseDuration } from './units.ts'

type Route = NonNullable<Draft['routes']>[number]

/** A route that accepts requests has keys, and nothing that it stores lies open. */
export function checkAsync(route: Route, draft: Draft, refused: (path: Path) => boolean, at: Path, locate: Locate): Mistake[] {
  if (route.async === undefined) return []
  const path = [...at, 'async']
  const wrong = (expected: string): Mistake[] => [wrongValue(locate(path), path, expected)]
  if (route.pass === true) return wrong('nothing, because the route has pass: true')
  const key = route.idempotency?.key ?? beneath(draft.defaults ?? {}, route).idempotency?.key ?? IDEMPOTENCY.properties.key.default
  if (key === 'ignored') return wrong('nothing, because idempotency.key is ignored: what has no key is never accepted')
  if (modeOf(route, draft) === 'shadow') return wrong('nothing, because idempotency.mode is shadow: what is only looked at is not accepted')
  const keyInDoubt = refused([...at, 'idempotency', 'key']) || refused(['defaults', 'idempotency', 'key'])
  if (route.async === 'always' && key !== 'required' && !keyInDoubt) return wrong('idempotency.key: required beside always, because what may pass without a key is never accepted')
  if ((draft.store?.sealing?.keys ?? []).length > 0 || refused(['store', 'sealing'])) return []
  return wrong('store.sealing.keys beside it, because requests that are stored hold credentials')
}

export function checkOperations({ operations }: Draft, refused: (path: Path) => boolean, locate: Locate): Mistake[] {
  if (refused(['operations', 'base']) || refused(['operations', 'cap'])) return []
  const { base, cap } = OPERATIONS.properties
  if ((parseDuration(operations?.base ?? base.default) ?? 0) <= (parseDuration(operations?.cap ?? cap.default) ?? Infinity)) return []
  const path = ['operations', operations?.base === undefined ? 'cap' : 'base']
  return [wrongValue(locate(path), path, 'base at most as long as cap')]
}

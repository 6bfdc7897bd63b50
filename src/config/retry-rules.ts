import { HOP_BY_HOP } from '../core/headers.ts'
import { KEY_HEADER } from '../core/key.ts'
import { FORMATS } from './formats.ts'
import { wrongValue, type Locate, type Mistake, type Path } from './mistakes.ts'
import type { Draft } from './schema.ts'

type Retry = NonNullable<Draft['defaults']>['retry']

/** Fields that are written anew for each message, or name something else. */
const TAKEN: ReadonlySet<string> = new Set([...HOP_BY_HOP, KEY_HEADER, 'content-length', 'expect', 'host', 'authorization', 'traceparent', 'onceward-attempt'])

/** A budget that is not there would be none at all, and a deadline in somebody else's header would spoil it. */
export function checkRetry(retry: Retry, draft: Draft, isGuarded: boolean, at: Path, locate: Locate): Mistake[] {
  if (retry === undefined) return []
  const mistakes: Mistake[] = []
  const { budget } = retry
  if (budget !== undefined && budget !== 'default' && draft.budgets?.[budget] === undefined) {
    const path = [...at, 'retry', 'budget']
    mistakes.push(wrongValue(locate(path), path, `a name under budgets: ${['default', ...Object.keys(draft.budgets ?? {})].filter((name, i, all) => all.indexOf(name) === i).join(', ')}`))
  }
  if (isGuarded && (retry.methods?.length ?? 0) > 0) {
    const path = [...at, 'retry', 'methods']
    mistakes.push(wrongValue(locate(path), path, 'idempotency.key: ignored beside it; what carries a key is sent again where that is safe, without such a list'))
  }
  for (const field of ['deadline_from', 'deadline_to'] as const) {
    const path = [...at, 'retry', field, 'header']
    if (TAKEN.has(retry[field]?.header?.toLowerCase() ?? '')) mistakes.push(wrongValue(locate(path), path, 'a header that means a deadline and nothing else'))
  }
  return mistakes
}

/** Their names are labels of metrics, so they are as those of routes. */
export function checkBudgets({ budgets }: Draft, locate: Locate): Mistake[] {
  return Object.keys(budgets ?? {}).filter((name) => FORMATS.get('budget-name')?.accepts(name) !== true).map((name) => {
    const path = ['budgets', name]
    return wrongValue({ ...locate(path, 'name'), found: name }, path, FORMATS.get('budget-name')?.expected ?? '')
  })
}

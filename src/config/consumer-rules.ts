import { HOP_BY_HOP } from '../core/headers.ts'
import { isSigned } from './consumer.ts'
import { wrongValue, type Locate, type Mistake, type Path } from './mistakes.ts'
import type { Draft } from './schema.ts'

type Route = NonNullable<Draft['routes']>[number]

/** What `consumer` and the fields beside it cannot both mean. */
export function checkConsumer({ consumer, pass, idempotency }: Route, at: Path, locate: Locate): Mistake[] {
  if (consumer === undefined) return []
  const wrong = (field: readonly string[], expected: string): Mistake => wrongValue(locate([...at, ...field]), [...at, ...field], expected)
  if (pass === true) return [wrong(['consumer'], 'nothing, because the route has pass: true')]
  const mistakes: Mistake[] = []
  if (idempotency?.key !== undefined) mistakes.push(wrong(['idempotency', 'key'], 'nothing, because consumer needs a key with every event'))
  if (idempotency?.key_from !== undefined) mistakes.push(wrong(['idempotency', 'key_from'], 'nothing, because consumer says where the id of an event is; consumer: { key_from: ... } is for other senders'))
  if (!isSigned(consumer) && idempotency?.scope === undefined) {
    mistakes.push(wrong(['idempotency', 'scope'], 'scope: route, or another one, in as many words, because no signature proves who sends these events'))
  }
  const place = typeof consumer === 'string' ? undefined : consumer.key_from
  const named = place?.header === undefined ? (place?.headers ?? []).map((name, i) => ({ name, field: ['headers', String(i)] })) : [{ name: place.header, field: ['header'] }]
  for (const { name, field } of named) {
    if (HOP_BY_HOP.has((name ?? '').toLowerCase())) mistakes.push(wrong(['consumer', 'key_from', ...field], 'another header; this one belongs to the connection'))
  }
  return mistakes
}

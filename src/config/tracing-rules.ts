import { isOwnWebhookField } from '../core/webhook-fields.ts'
import { FORMATS } from './formats.ts'
import { wrongValue, type Locate, type Mistake } from './mistakes.ts'
import type { Draft } from './schema.ts'

/** A collector is asked as a receiver of webhooks is: what makes the message is not the configuration's. */
export function checkTracing({ tracing }: Draft, locate: Locate): Mistake[] {
  return Object.keys(tracing?.otlp?.headers ?? {}).flatMap((name) => {
    const path = ['tracing', 'otlp', 'headers', name]
    const fits = FORMATS.get('header-name')?.accepts(name) === true && !isOwnWebhookField(name)
    return fits ? [] : [wrongValue({ ...locate(path, 'name'), found: name }, path, 'the name of a header that is not written by us')]
  })
}

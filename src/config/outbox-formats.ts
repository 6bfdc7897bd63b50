import { parseEventTemplate } from '../core/event-template.ts'
import { parseAddress, parseOrigin } from './addresses.ts'
import { parseTableName } from './table-name.ts'
import type { Format } from './format.ts'
import { parseWebhookSecret } from './secret.ts'

/** The texts of `outbox`, `sinks` and `consumer`. */
export const OUTBOX_FORMATS: Readonly<Record<string, Format>> = {
  'sql-table': {
    expected: 'a table such as outbox or shop.outbox, its parts in double quotes if they have dots or quotes in them',
    accepts: (text) => parseTableName(text) !== undefined,
  },
  'sql-name': {
    expected: 'the name of a column, as the database has it, such as seq',
    accepts: (text) => !text.includes('\0') && Buffer.byteLength(text) <= 63,
  },
  'sink-name': {
    expected: 'the name of a sink: 1 to 63 of the characters a-z 0-9 -, the first one a letter or a digit, such as payments',
    accepts: (text) => /^[a-z0-9][a-z0-9-]{0,62}$/.test(text),
  },
  'event-type': {
    expected: 'what happened, as words of A-Z a-z 0-9 _ - with dots between them, at most 128 characters, such as charge.created',
    accepts: (text) => text.length <= 128 && /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/.test(text),
    suggest: (text) => (/^[\w-]+(?:[ :/]+[\w-]+)+$/.test(text) ? [text.replace(/[ :/]+/g, '.')] : []),
  },
  'event-template': {
    expected: 'a text with {key}, {identity}, {operation}, {route}, {status}, {header:name}, {body:/json/pointer}, {reply:/json/pointer} or {reply-header:name} in it',
    accepts: (text) => parseEventTemplate(text) !== undefined,
  },
  'webhook-url': {
    expected: 'where events are posted, as an https:// URL without a fragment, such as https://hooks.example.com/onceward',
    accepts: (text) => /^https?:\/\/[^\s#\\]+$/i.test(text) && URL.canParse(text),
    secret: true,
  },
  'webhook-secret': {
    expected: 'whsec_ and 24 to 64 bytes in base64 behind it, such as echo "whsec_$(openssl rand -base64 32)" writes',
    accepts: (text) => parseWebhookSecret(text) !== undefined,
    secret: true,
  },
  'stripe-secret': {
    expected: 'the signing secret of an endpoint as Stripe shows it, whsec_ and 16 or more letters and digits behind it',
    accepts: (text) => /^whsec_[A-Za-z0-9+/=_-]{16,250}$/.test(text),
    secret: true,
  },
  'secret-header': {
    expected: 'the value of a header: visible ASCII in one line',
    accepts: (text) => /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text),
    secret: true,
  },
  'secret-text': {
    expected: 'a text, best from a variable',
    accepts: (text) => text !== '',
    secret: true,
  },
  'broker-address': {
    expected: 'a host and a port such as broker-1:9092',
    accepts: (text) => (parseAddress(text)?.port ?? 0) > 0,
    suggest: (text) => (/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(text) ? [`${text}:9092`] : []),
  },
  'kafka-name': {
    expected: '1 to 249 of the characters A-Z a-z 0-9 . _ - (and not . or ..)',
    accepts: (text) => /^[A-Za-z0-9._-]{1,249}$/.test(text) && text !== '.' && text !== '..',
  },
  'fifo-queue-url': {
    expected: 'the URL of a FIFO queue, which ends in .fifo, such as https://sqs.eu-central-1.amazonaws.com/123456789012/charges.fifo',
    accepts: (text) => /^https?:\/\/[^@\s?#\\]+\/[A-Za-z0-9_-]{1,75}\.fifo$/i.test(text) && URL.canParse(text),
    secret: true,
  },
  'aws-region': {
    expected: 'a region of AWS such as eu-central-1',
    accepts: (text) => /^[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}$/.test(text),
  },
  'service-origin': {
    expected: 'http:// or https:// with host and port, such as http://127.0.0.1:4566 (no path, query or password)',
    accepts: (text) => parseOrigin(text) !== undefined,
  },
}

import { DURATION_PATTERN } from './units.ts'

/* `outbox.sources`: outbox tables that an application keeps itself. */

const DELAY = { type: 'string', format: 'duration-with-unit', pattern: DURATION_PATTERN, formatMaximum: '24h' } as const
const COLUMN = { type: 'string', format: 'sql-name', minLength: 1, maxLength: 63 } as const

export const SOURCE = {
  type: 'object', additionalProperties: false, required: ['postgres', 'table', 'order', 'sink'],
  examples: ['{postgres: "${APP_DATABASE_URL}", table: outbox, preset: debezium, order: seq, sink: payments}'],
  properties: {
    postgres: { type: 'string', format: 'postgres-url', pattern: '^postgres(ql)?://', description: 'The application\'s database, one host, from a variable. The role needs to read these columns and no more: `onceward check` prints the statements.', examples: ['${APP_DATABASE_URL}'] },
    table: { type: 'string', format: 'sql-table', description: 'The table, with its schema if it is not on the search path: `outbox`, `shop.outbox`. In upper and lower case as the database has it; parts with dots or quotes in double quotes.', examples: ['shop.outbox'] },
    preset: { enum: ['debezium'], description: 'The columns of Debezium\'s outbox: `id`, `aggregateid` (the lane), `type`, `payload`. What `columns` says goes before it.' },
    order: { ...COLUMN, description: 'The column that numbers the rows: an identity column (smallint, integer or bigint), with an index.', examples: ['seq'] },
    columns: {
      type: 'object', additionalProperties: false, description: 'Where the rest of an event stands. `payload` is needed; the others are not.',
      properties: {
        id: { ...COLUMN, description: 'What the application calls the event; without it, its number. The id that receivers see is the name of the source, a colon and this.' },
        lane: { ...COLUMN, description: 'Events of one lane leave in the order of their numbers. Without it each has a lane of its own, so there is no order.' },
        type: { ...COLUMN, description: 'The CloudEvents `type`; without it, `type` says it for all.' },
        payload: { ...COLUMN, description: 'What the event says: json, jsonb, text or bytea.', examples: ['payload'] },
        time: { ...COLUMN, description: 'When it happened: a timestamp. Without it, when it was read.' },
        traceparent: { ...COLUMN, description: 'The W3C trace that it belongs to.' },
      },
    },
    type: { type: 'string', format: 'event-type', pattern: '^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$', description: 'The CloudEvents `type` of all of its events, in place of a column.' },
    sink: { type: 'string', format: 'sink-name', pattern: '^[a-z0-9][a-z0-9-]{0,62}$', description: 'Where they go, by its name under `sinks`.', examples: ['payments'] },
    begin: { enum: ['oldest', 'newest'], default: 'oldest', description: 'Where reading begins the first time: with what is there, or with what comes.' },
    poll: { ...DELAY, formatMinimum: '10ms', default: '500ms', description: 'How often the table is looked at when nothing is new.' },
    batch: { type: 'integer', minimum: 1, maximum: 10_000, default: 500, description: 'Rows of one look at most.' },
    hold: { ...DELAY, default: '10s', description: 'How long a missing number, whose transaction may still commit, holds up the rows above it. After that they leave, and the late one follows them.' },
    late: { ...DELAY, formatMinimum: '1s', default: '1m', description: 'How long a missing number is looked for at least; after that, as long as a transaction runs that ran at the end of it. Longer where numbers are taken long before their rows are written (`CACHE`).' },
    lease: { ...DELAY, formatMinimum: '1s', formatMaximum: '10m', default: '10s', description: 'How long a process that died keeps others from reading in its place.' },
  },
} as const

export const SOURCES = {
  type: 'object', additionalProperties: false, description: 'Events beside those of routes.',
  properties: {
    sources: {
      type: 'object', additionalProperties: SOURCE, examples: ['{orders: {postgres: "${APP_DATABASE_URL}", table: outbox, preset: debezium, order: seq, sink: payments}}'],
      description: 'Outbox tables that an application keeps itself, by name (docs/outbox-sources.md): each row becomes an event, once. The name is part of the ids of its events and of how far it was read, so a renamed source begins anew.',
    },
  },
} as const

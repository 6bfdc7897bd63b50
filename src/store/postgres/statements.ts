import { readFileSync } from 'node:fs'

/** One name serves the file, the prepared statement and the log. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** The hot path: what may stand in these files is also decided by what other engines have, see docs/distributed.md. */
export const HOT = [
  'claim', 'claim-free', 'claim-orphan', 'expire', 'touch', 'confirm', 'complete', 'release', 'abandon', 'renew',
  'accept', 'accept-free', 'begin-work', 'take-work', 'release-work', 'shadow-look', 'shadow-end',
] as const

const OTHERS = [
  'resolve-completed', 'end-work', 'resolve-not-executed', 'resolve-work', 'evict', 'forget', 'audit', 'flag', 'doubts', 'reap', 'sweep', 'census', 'secret', 'key-space',
  'keys-by-id', 'keys-by-digest', 'keys-by-operation', 'keys-by-state', 'keys-accepted', 'begin', 'commit',
  'lead', 'resign', 'take', 'settle-delivered', 'settle-failed', 'arrivals', 'outbox-census', 'dead-letters', 'redrive',
  'discard', 'dead-work', 'detach-work', 'drop-work', 'outbox-audit', 'source-position', 'bring', 'shadow-sweep',
] as const

export type StatementName = (typeof HOT)[number] | (typeof OTHERS)[number]
export type Statements = { readonly [Name in StatementName]: Statement }

export function readStatements(schema: string): Statements {
  const read = (name: StatementName): Statement => readStatement(name, schema)
  return {
    claim: read('claim'),
    'claim-free': read('claim-free'),
    'claim-orphan': read('claim-orphan'),
    expire: read('expire'),
    touch: read('touch'),
    confirm: read('confirm'),
    complete: read('complete'),
    release: read('release'),
    abandon: read('abandon'),
    renew: read('renew'),
    accept: read('accept'),
    'accept-free': read('accept-free'),
    'begin-work': read('begin-work'),
    'take-work': read('take-work'),
    'release-work': read('release-work'),
    'resolve-completed': read('resolve-completed'),
    'end-work': read('end-work'),
    'resolve-not-executed': read('resolve-not-executed'),
    'resolve-work': read('resolve-work'),
    evict: read('evict'),
    forget: read('forget'),
    audit: read('audit'),
    flag: read('flag'),
    doubts: read('doubts'),
    reap: read('reap'),
    sweep: read('sweep'),
    census: read('census'),
    secret: read('secret'),
    'key-space': read('key-space'),
    'keys-by-id': read('keys-by-id'),
    'keys-by-digest': read('keys-by-digest'),
    'keys-by-operation': read('keys-by-operation'),
    'keys-by-state': read('keys-by-state'),
    'keys-accepted': read('keys-accepted'),
    begin: read('begin'),
    commit: read('commit'),
    lead: read('lead'),
    resign: read('resign'),
    take: read('take'),
    'settle-delivered': read('settle-delivered'),
    'settle-failed': read('settle-failed'),
    arrivals: read('arrivals'),
    'outbox-census': read('outbox-census'),
    'dead-letters': read('dead-letters'),
    redrive: read('redrive'),
    discard: read('discard'),
    'dead-work': read('dead-work'),
    'detach-work': read('detach-work'),
    'drop-work': read('drop-work'),
    'outbox-audit': read('outbox-audit'),
    'source-position': read('source-position'),
    bring: read('bring'),
    'shadow-look': read('shadow-look'),
    'shadow-end': read('shadow-end'),
    'shadow-sweep': read('shadow-sweep'),
  }
}

/** `words` are put in for what stands in braces, besides the schema; none of them comes from a request. */
export function readStatement(name: string, schema: string, words: Readonly<Record<string, string>> = {}): Statement {
  return { name, text: filled(readFileSync(new URL(`./sql/${name}.sql`, import.meta.url), 'utf8'), { ...words, schema }) }
}

export function filled(text: string, words: Readonly<Record<string, string>>): string {
  return text.replace(/\{([a-z]+)\}/g, (placeholder, word: string) => words[word] ?? placeholder)
}

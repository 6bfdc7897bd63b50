import { isIP } from 'node:net'
import { OPERATIONS_SINK } from '../core/operations.ts'
import { parseNetwork, trustedPeers } from '../core/trusted-peers.ts'
import { isOwnWebhookField } from '../core/webhook-fields.ts'
import { isLoopback } from './addresses.ts'
import type { Checked } from './check-schema.ts'
import { FORMATS } from './formats.ts'
import { alternatives, wrongValue, type Locate, type Mistake, type Path } from './mistakes.ts'
import type { Draft } from './schema.ts'
import { parseDuration } from './units.ts'

type Sink = NonNullable<NonNullable<Draft['sinks']>[string]>

const RECEIVERS = ['webhook', 'kafka', 'sqs'] as const

/** What one call can take at most. */
const MOST_EVENTS = { webhook: 1, kafka: 10_000, sqs: 10 } as const

/** What no single field of a sink can get wrong. Nothing here repeats a URL, a secret or a value of a header. */
export function checkSinks({ draft, refused }: Pick<Checked, 'draft' | 'refused'>, locate: Locate): Mistake[] {
  const sinks = Object.entries(draft.sinks ?? {}).map(([name, sink]) => ({ name, sink: sink ?? {}, at: ['sinks', name] }))
  return [
    ...sinks.flatMap(({ name, sink, at }) => [
      ...checkName(name, at, locate), ...checkReceiver(sink, at, refused, locate),
      ...checkDelays(sink, at, refused, locate), ...checkBatch(sink, at, locate), ...checkWebhook(sink, at, refused, locate),
    ]),
    ...checkTransactions(sinks, locate),
  ]
}

/** They are labels of metrics, as the names of budgets are. */
function checkName(name: string, at: Path, locate: Locate): Mistake[] {
  if (name === OPERATIONS_SINK) return [wrongValue({ ...locate(at, 'name'), found: name }, at, 'another name; this one is that of the sink that executes accepted requests')]
  return FORMATS.get('sink-name')?.accepts(name) === true ? [] : [wrongValue({ ...locate(at, 'name'), found: name }, at, FORMATS.get('sink-name')?.expected ?? '')]
}

function checkReceiver(sink: Sink, at: Path, refused: Checked['refused'], locate: Locate): Mistake[] {
  const written = RECEIVERS.filter((kind) => sink[kind] !== undefined)
  // a receiver that was refused, or whose name was misspelt, is told already
  if (written.length === 1 || (written.length === 0 && refused(at))) return []
  return [wrongValue({ ...locate(at, 'name'), found: written.length === 0 ? 'none' : written.join(' and ') }, at, `exactly one of ${alternatives(RECEIVERS)}`)]
}

function checkDelays({ base, cap }: Sink, at: Path, refused: Checked['refused'], locate: Locate): Mistake[] {
  if (refused([...at, 'base']) || refused([...at, 'cap'])) return []
  if ((parseDuration(base ?? '1s') ?? 0) <= (parseDuration(cap ?? '5m') ?? Infinity)) return []
  const path = [...at, base === undefined ? 'cap' : 'base']
  return [wrongValue(locate(path), path, 'base at most as long as cap')]
}

function checkBatch(sink: Sink, at: Path, locate: Locate): Mistake[] {
  const [kind] = RECEIVERS.filter((candidate) => sink[candidate] !== undefined)
  const path = [...at, 'batch']
  if (kind === undefined || sink.batch === undefined || sink.batch <= MOST_EVENTS[kind]) return []
  return [wrongValue(locate(path), path, kind === 'webhook' ? '1, because a webhook has one event' : `at most ${MOST_EVENTS[kind]}`)]
}

function checkWebhook({ webhook }: Sink, at: Path, refused: Checked['refused'], locate: Locate): Mistake[] {
  if (webhook === undefined) return []
  const group = [...at, 'webhook']
  const mistakes: Mistake[] = []
  const path = [...group, 'url']
  if (typeof webhook.url === 'string' && !refused(path) && !refused([...group, 'allow']) && !isSafe(webhook.url, webhook.allow ?? [])) {
    mistakes.push(wrongValue({ ...locate(path), found: 'a text that is not shown' }, path, 'https://, or http:// to this machine or to an address that allow has; {plain_http: URL} if the network between is safe'))
  }
  const seen = new Set<string>()
  for (const name of Object.keys(webhook.headers ?? {})) {
    const field = [...group, 'headers', name]
    const taken = isOwnWebhookField(name) || seen.has(name.toLowerCase())
    seen.add(name.toLowerCase())
    if (taken || FORMATS.get('header-name')?.accepts(name) !== true) mistakes.push(wrongValue({ ...locate(field, 'name'), found: name }, field, 'the name of a header that is not written by us, once'))
  }
  return mistakes
}

/** Nobody on the way can read or change what is posted. */
function isSafe(url: string, allow: readonly string[]): boolean {
  const { protocol, hostname } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  if (protocol === 'https:' || isLoopback(host)) return true
  return isIP(host) !== 0 && trustedPeers(allow.flatMap((text) => parseNetwork(text) ?? []))(host)
}

/** The second one would fence off the first, and the first the second. */
function checkTransactions(sinks: readonly { readonly name: string, readonly sink: Sink, readonly at: Path }[], locate: Locate): Mistake[] {
  return sinks.flatMap(({ sink: { kafka }, at }, i) => {
    const id = kafka?.transactional_id
    const brokers = new Set(kafka?.brokers ?? [])
    const other = id === undefined ? undefined : sinks.slice(0, i).find(({ sink }) => sink.kafka?.transactional_id === id && (sink.kafka.brokers ?? []).some((broker) => brokers.has(broker)))
    const path = [...at, 'kafka', 'transactional_id']
    return other === undefined ? [] : [wrongValue(locate(path), path, `another name than sinks.${other.name} has on the same brokers, because each would end the other's transactions`)]
  })
}

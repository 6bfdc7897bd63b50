/** Fields of a webhook's request that are ours to set, or concern one connection: in lower case. */
const OURS: ReadonlySet<string> = new Set([
  'content-type', 'content-length', 'content-encoding', 'transfer-encoding', 'host', 'connection', 'keep-alive', 'te', 'trailer', 'upgrade', 'expect', 'proxy-connection', 'proxy-authorization',
])

/** May the configuration not set this field? Names that begin with `webhook-` are those of Standard Webhooks. */
export function isOwnWebhookField(name: string): boolean {
  const lower = name.toLowerCase()
  return OURS.has(lower) || lower.startsWith('webhook-')
}

import { METHODS } from 'node:http'
import { parsePointer } from '../core/json-pointer.ts'
import { readPath } from '../core/path.ts'
import { parseRedisUrl } from '../core/redis-target.ts'
import { parseTemplate } from '../core/template.ts'
import { parseNetwork } from '../core/trusted-peers.ts'
import { parseAddress, parseKeysUrl, parseOrigin } from './addresses.ts'
import type { Format } from './format.ts'
import { nearest } from './nearest.ts'
import { OUTBOX_FORMATS } from './outbox-formats.ts'
import { parseSecret } from './secret.ts'
import { nearDurations, nearSizes, parseDuration, parseShare, parseSize } from './units.ts'

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Headers that are another text with every request: proofs of it, and all cookies together. */
const CHANGING = ['cookie', 'signature', 'signature-input', 'dpop']

export const FORMATS: ReadonlyMap<string, Format> = new Map(Object.entries<Format>({
  'duration-with-unit': {
    expected: 'a duration with a unit such as 250ms, 60s, 5m, 24h or 30d',
    accepts: (text) => parseDuration(text) !== undefined,
    suggest: nearDurations,
    measure: parseDuration,
  },
  'size-with-unit': {
    expected: 'a size with a unit such as 512B, 64KiB, 8MiB or 1GiB',
    accepts: (text) => parseSize(text) !== undefined,
    suggest: nearSizes,
    measure: parseSize,
  },
  'share-of-all': {
    expected: 'a share from 0% to 100%, such as 10% or 0.5%',
    accepts: (text) => parseShare(text) !== undefined,
    suggest: (text) => (/^(?:0|[1-9][0-9]?|100)$/.test(text) ? [`${text}%`] : /^0?\.[0-9]{1,2}$/.test(text) ? [`${Math.round(Number(text) * 100)}%`] : []),
  },
  'traces-url': {
    expected: 'where the collector takes traces, as an http:// or https:// URL without user, query and fragment, such as http://127.0.0.1:4318/v1/traces',
    accepts: (text) => /^https?:\/\/[^@\s?#\\]+$/i.test(text) && URL.canParse(text),
    secret: true,
  },
  'listen-address': {
    expected: 'an address and a port such as 127.0.0.1:8080 or 0.0.0.0:8080',
    accepts: (text) => parseAddress(text) !== undefined,
    suggest: (text) => (/^:?[0-9]{1,5}$/.test(text) ? [`127.0.0.1:${text.replace(':', '')}`] : []),
  },
  'operator-name': {
    expected: '1 to 64 of the characters A-Z a-z 0-9 . _ @ -',
    accepts: (text) => /^[A-Za-z0-9._@-]{1,64}$/.test(text),
  },
  'operator-token': {
    expected: '24 to 512 of the characters A-Z a-z 0-9 . _ ~ + / = -, as openssl rand -base64 32 makes them',
    accepts: (text) => /^[A-Za-z0-9._~+/=-]{24,512}$/.test(text),
    secret: true,
  },
  'http-origin': {
    expected: 'the upstream as http:// or https:// with host and port, such as http://127.0.0.1:3000 (no path, query or password)',
    accepts: (text) => parseOrigin(text) !== undefined,
    // never a suggestion made of a URL with credentials
    suggest: (text) => (/^[A-Za-z0-9.-]+:[0-9]{1,5}$/.test(text) ? [`http://${text}`] : []),
  },
  'http-method': {
    expected: 'a method in upper case such as POST',
    accepts: (text) => METHODS.includes(text) && text !== 'CONNECT',
    suggest: (text) => nearest(text.toUpperCase(), METHODS).slice(0, 1),
  },
  'path-pattern': {
    expected: 'a path such as /v1/charges, /v1/charges/:id or /v1/* (`*` only as the last segment, no query, no dot segments, not below /_onceward)',
    accepts: isPathPattern,
  },
  'host-name': {
    expected: 'a host name without a port such as api.example.com, or *.example.com for any one label in front',
    accepts: (text) => /^(?:(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])$/.test(text),
  },
  'header-match': {
    expected: 'the exact value in quotes such as "2", or "*" if any will do',
    accepts: (text) => /^[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/.test(text),
  },
  'header-name': {
    expected: 'the name of a header such as authorization',
    accepts: (text) => TOKEN.test(text),
  },
  'json-pointer': {
    expected: 'a JSON pointer such as /id or /data/object/id',
    accepts: (text) => parsePointer(text) !== undefined,
    suggest: (text) => (/^[\w$][\w.$-]*$/.test(text) ? [`/${text.replace(/^\$\./, '').replaceAll('.', '/')}`] : []),
  },
  'template': {
    expected: 'a text with {key}, {identity}, {body:/json/pointer} or {header:name} in it',
    accepts: (text) => parseTemplate(text) !== undefined,
  },
  'target-template': {
    expected: 'a path and query such as "/v1/charges?key={key}&account={identity}", with {key}, {identity}, {body:/json/pointer} or {header:name} in it, and everything else percent-encoded',
    accepts: isTargetTemplate,
  },
  'probe-credential': {
    expected: 'the value of a header from a variable, such as Bearer ${PROBE_TOKEN}',
    accepts: (text) => /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text),
    secret: true,
  },
  'credential-header': {
    expected: 'the name of a header that stays the same from request to request, such as authorization, or of one cookie, such as cookie:session',
    accepts: (text) => TOKEN.test(text.replace(/^cookie:/i, '')) && !CHANGING.includes(text.toLowerCase()),
    suggest: (text) => (text.toLowerCase() === 'cookie' ? ['cookie:session'] : []),
  },
  'https-url': {
    expected: 'where the keys are, as an https:// URL (http:// on this machine only), such as https://id.example.com/keys; {plain_http: URL} if the network between is safe',
    accepts: (text) => parseKeysUrl(text)?.safe === true,
  },
  'http-url': {
    expected: 'where the keys are, as a URL such as http://id.internal/keys, without a password',
    accepts: (text) => parseKeysUrl(text) !== undefined,
  },
  'web-origin': {
    expected: 'the origin of a web page such as https://shop.example.com (scheme, host, and a port if it is not the usual one; no path)',
    accepts: (text) => /^https?:\/\/[^/?#@\\\s]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text,
    suggest: (text) => (URL.canParse(text) && /^https?:/i.test(text) ? [new URL(text).origin] : []),
  },
  'network': {
    expected: 'an address or a network such as 10.0.0.7, 10.0.0.0/8 or fd00::/8',
    accepts: (text) => parseNetwork(text) !== undefined,
  },
  'postgres-url': {
    expected: 'a Postgres such as postgres://user:password@host:5432/database, with several hosts separated by commas if there are standbys, and no target_session_attrs but read-write',
    accepts: isPostgresUrl,
    secret: true,
  },
  'sql-schema': {
    expected: '1 to 48 of the characters a-z 0-9 _, the first one a letter, such as onceward',
    accepts: (text) => /^[a-z][a-z0-9_]{0,47}$/.test(text),
  },
  'redis-url': {
    expected: 'a Redis as redis://host:6379, redis+sentinel://host:26379,host/master-name or redis+cluster://host,host (rediss for TLS), with user:password@ in front of the host if need be',
    accepts: (text) => parseRedisUrl(text) !== undefined,
  },
  'sealing-key-id': {
    expected: '1 to 32 of the characters A-Z a-z 0-9 . _ -',
    accepts: (text) => /^[A-Za-z0-9._-]{1,32}$/.test(text),
  },
  'sealing-secret': {
    expected: '32 bytes in base64, as openssl rand -base64 32 makes them',
    accepts: (text) => parseSecret(text) !== undefined,
    secret: true,
  },
  'service-name': {
    expected: '1 to 64 of the characters A-Z a-z 0-9 . _ -',
    accepts: (text) => /^[A-Za-z0-9._-]{1,64}$/.test(text),
  },
  'budget-name': {
    expected: 'the name of a budget: 1 to 63 of the characters a-z 0-9 -, the first one a letter or a digit, such as default',
    accepts: (text) => /^[a-z0-9][a-z0-9-]{0,62}$/.test(text),
  },
  ...OUTBOX_FORMATS,
  'route-name': {
    expected: '1 to 63 of the characters a-z 0-9 -, the first one a letter or a digit, such as create-charge',
    accepts: (text) => /^[a-z0-9][a-z0-9-]{0,62}$/.test(text),
  },
}))

/** Hosts may be several, which no URL has; one that does not take writes is never used, whatever the URL says. */
function isPostgresUrl(text: string): boolean {
  const [, front = '', hosts = '', rest = ''] = /^(postgres(?:ql)?:\/\/(?:[^@/?#\s]*@)?)([^@/?#\s]*)([^#\s]*)$/.exec(text) ?? []
  if (front === '' || /target_session_attrs=(?!read-write(?:&|$))/.test(rest)) return false
  return hosts.split(',').every((host) => URL.canParse(`${front}${host}${rest}`) && (host !== '' || /[?&]host=/.test(rest)))
}

/** A target as it travels, once its places are filled. */
function isTargetTemplate(text: string): boolean {
  const template = parseTemplate(text)
  if (template === undefined || text.startsWith('//')) return false
  const plain = template.map((part) => (part.kind === 'text' ? part.text : 'x')).join('')
  return /^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*$/.test(plain) && readPath(plain).kind === 'path'
}

/** A pattern is compared with normalised paths, so it must be one itself: `/a/../b` or `/%7Euser` would never match. */
function isPathPattern(text: string): boolean {
  if (!/^\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*$/.test(text)) return false
  const reading = readPath(text)
  if (reading.kind === 'invalid' || reading.segments[0] === '_onceward') return false
  if (reading.segments.join('/') !== text.split('/').filter((segment) => segment !== '').join('/')) return false
  return reading.segments.every((segment, i) => {
    if (segment === '*') return i === reading.segments.length - 1
    if (segment.startsWith(':')) return /^:[A-Za-z_][A-Za-z0-9_-]*$/.test(segment)
    return !segment.includes('*')
  })
}

import { firstOf, type Fields } from './headers.ts'

/*
 * The program that sends a request, as it may stand in a metric and a log line: product and version of its User-Agent (RFC 9110
 * section 10.1.5), and nothing behind them. A User-Agent is whatever its sender says it is, so a name that could be data is `other`.
 */

export const NO_CLIENT = 'none'
export const OTHER_CLIENT = 'other'

/** Beyond this nothing is read: a hostile field costs no more than a friendly one. */
const MOST_READ = 512
const PRODUCT = /^[A-Za-z][A-Za-z_.-]*(?:\d[A-Za-z_.-]*){0,3}$/
const LONGEST_PRODUCT = 32
/** At most four numbers of at most five digits, and a short word for what comes before a release: no date with a time, no account. */
const VERSION = /^v?\d{1,5}(?:\.\d{1,5}){0,3}(?:-(?:alpha|beta|rc|next|preview|canary|dev)(?:\.?\d{1,4})?)?$/

/** Each calls itself by all that stand behind it here, too, so the first that is found is meant. Their versions are their users' business. */
const BROWSERS = [['Edg', 'edge'], ['OPR/', 'opera'], ['Firefox/', 'firefox'], ['Chrome/', 'chrome'], ['Safari/', 'safari']] as const

export function clientOf(fields: Fields): string {
  const said = firstOf(fields, 'user-agent')?.slice(0, MOST_READ).trim()
  if (said === undefined || said === '') return NO_CLIENT
  if (said.startsWith('Mozilla/')) return BROWSERS.find(([mark]) => said.includes(mark))?.[1] ?? 'browser'
  const [product = '', version = '', ...more] = (said.split(/[\s(;,]/, 1)[0] ?? '').split('/')
  if (more.length > 0 || product.length > LONGEST_PRODUCT || !PRODUCT.test(product)) return OTHER_CLIENT
  return VERSION.test(version) ? `${product}/${version}` : product
}

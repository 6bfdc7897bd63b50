import { valuesOf, type Fields } from './headers.ts'

/** W3C Trace Context section 3.3.1.1: more than so many, and all of it is as good as none. */
const MOST_MEMBERS = 32
/** Sections 3.3.1.3.1 and 3.3.1.3.2. */
const MEMBER = /^(?:[a-z0-9][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

/** What vendors keep in a trace, of all lines together and in their order; empty if there is none, or if it is not as it has to be. */
export function readTracestate(fields: Fields): string {
  const lines = valuesOf(fields, 'tracestate')
  if (lines.length === 0) return ''
  const members = lines.join(',').split(',').map((member) => member.replace(/^[\t ]+|[\t ]+$/g, '')).filter((member) => member !== '')
  return members.length <= MOST_MEMBERS && members.every((member) => MEMBER.test(member)) ? members.join(',') : ''
}

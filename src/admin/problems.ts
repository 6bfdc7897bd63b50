/*
 * What the listener for operators answers where it does not do what was asked: RFC 9457, in the form of the other listener's problems.
 */

export const ADMIN_PROBLEMS = {
  'request-invalid': { status: 400, title: 'The request is not valid' },
  'token-missing': { status: 401, title: 'The request needs the token of an operator' },
  'token-invalid': { status: 401, title: 'No operator has this token' },
  'foreign-page': { status: 403, title: 'The request comes from a page of another origin' },
  'not-found': { status: 404, title: 'There is nothing here' },
  'method-not-allowed': { status: 405, title: 'The method of the request means nothing here' },
  'declined': { status: 409, title: 'It cannot be done as things stand' },
  'body-too-large': { status: 413, title: 'The body of the request is too large' },
  'media-type': { status: 415, title: 'The body of the request has to be application/json' },
  'misdirected': { status: 421, title: 'This listener answers to localhost and to loopback addresses' },
  'failed': { status: 500, title: 'The request met a defect; the log says more' },
  'store-unavailable': { status: 503, title: 'The store does not answer' },
} as const satisfies Record<string, { readonly status: number, readonly title: string }>

export type AdminProblemCode = keyof typeof ADMIN_PROBLEMS

export const PROBLEM_TYPE = 'application/problem+json'

/** Thrown by whoever cannot go on; `detail` is a sentence for an operator and names no key, secret or body. */
export class AdminProblem extends Error {
  readonly code: AdminProblemCode
  readonly detail: string

  constructor(code: AdminProblemCode, detail: string) {
    super(detail)
    this.code = code
    this.detail = detail
  }
}

export function problemBody({ code, detail }: Pick<AdminProblem, 'code' | 'detail'>): object {
  return { type: `urn:onceward:problem:${code}`, ...ADMIN_PROBLEMS[code], detail }
}

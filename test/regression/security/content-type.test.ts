import { test } from 'tap'
import { rawExchange } from '../../support/raw-client.ts'
import { respond, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { startForTest } from '../../support/start-sidecar.ts'

/* The Content-Type family of fastify: a spelling that one reader takes for JSON and another does not, around a check. */

const SPELLINGS = [
  'application/json', 'APPLICATION/JSON', ' application/json', '\tapplication/json', 'application/json\t', 'application/json ;charset=utf-8', 'application/json;', 'application/json;;',
  'application/json\u00a0', 'text/json', 'application/vnd.api+json', 'multipart/form-data', 'multipart/form-data; boundary=', 'application/x-www-form-urlencoded', '*/*',
]

/** No media types by RFC 9110 section 8.3.1: the proxy plugin answers them 415, which lets nothing pass either. */
const MALFORMED = ['application/json, text/plain', 'application/ json', '/', 'a', '__proto__', '']

/** As they stand in a message; an absent field and two of them are cases of their own. */
const linesOf = (values: readonly string[]): string[] => [...values.map((value) => `Content-Type:${value}\r\n`), '', 'Content-Type: application/json\r\nContent-Type: text/plain\r\n']

const BODY = '{"not json'

for (const [way, key, values] of [['guarded', true, [...SPELLINGS, ...MALFORMED]], ['passing', false, SPELLINGS]] as const) {
  test(`no spelling of Content-Type changes whether a ${way} request is taken, and none has its body read`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
    for (const [nth, lines] of linesOf(values).entries()) {
      const field = key ? `Idempotency-Key: k${nth}\r\n` : ''
      const ask = (): Promise<string> => rawExchange(t, sidecar.address, `POST /x HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nConnection: close\r\n${field}${lines}Content-Length: ${BODY.length}\r\n\r\n${BODY}`)
      const before = upstream.requests.length
      for (let i = 0; i < 2; i += 1) t.match(await ask(), /^HTTP\/1\.1 200 /, JSON.stringify(lines))
      t.equal(upstream.requests.length - before, key ? 1 : 2, `${JSON.stringify(lines)}: a keyed one runs once, whatever it says it is`)
      t.ok(upstream.requests.at(-1)?.endsWith(BODY))
    }
  })
}

test('the listener for operators takes no body of any type', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  for (const lines of linesOf([...SPELLINGS, ...MALFORMED])) {
    t.match(await rawExchange(t, sidecar.adminAddress, `POST /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${lines}Content-Length: 2\r\n\r\n{}`), /^HTTP\/1\.1 4(?:00|04|05|15) /, JSON.stringify(lines))
  }
})

import { test } from 'tap'
import { rawExchange } from '../../support/raw-client.ts'
import { respond, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { startForTest } from '../../support/start-sidecar.ts'

/** As bytes of a message: what a terminal, a line reader or a JSON reader could take for its own. */
const NASTY = [
  '\u001b[2J\u001b]0;pwned\u0007', '"},{"msg":"forged"}', '\\"', '\u00e2\u0080\u00a8\u00e2\u0080\u00a9', '\u0085', '\u009b31m', '\u0000', '\r', '\n', '\r\n{"msg":"forged"}', '\t', '\u007f', '%0a{"msg":"forged"}', '${jndi:ldap://x}', '\u00ff\u00fe', '</script>',
]

const LEVELS = ['info', 'debug'] as const

for (const level of LEVELS) {
  test(`whatever stands in key, path, method and fields, every line of the log at ${level} is one JSON text of ours`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket, request }) => request.includes('/reset') ? socket.resetAndDestroy() : respond(socket, 200, 'ok', 'X-Evil: \u001b[2J forged'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: `log: { level: ${level} }` })
    const places: readonly ((nasty: string) => string)[] = [
      (nasty) => `POST /v1 HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nIdempotency-Key: k${nasty}`,
      (nasty) => `POST /v1/${nasty} HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nIdempotency-Key: k`,
      (nasty) => `POST /reset?${nasty} HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nIdempotency-Key: r${places.length}`,
      (nasty) => `PO${nasty}ST /v1 HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nIdempotency-Key: k`,
      (nasty) => `POST /v1 HTTP/1.1\r\nHost: ${nasty}\r\nAuthorization: b\r\nIdempotency-Key: k`,
      (nasty) => `POST /v1 HTTP/1.1\r\nHost: a\r\nAuthorization: ${nasty}\r\nIdempotency-Key: k`,
      (nasty) => `POST /v1 HTTP/1.1\r\nHost: a\r\nUser-Agent: ${nasty}\r\nX-Request-Id: ${nasty}\r\nAuthorization: b\r\nIdempotency-Key: k`,
      (nasty) => `GET /${nasty} HTTP/1.1\r\nHost: a\r\nUser-Agent: ${nasty}`,
    ]
    for (const place of places) for (const nasty of NASTY) await rawExchange(t, sidecar.address, `${place(nasty)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    const text = sidecar.log()
    t.ok(text.endsWith('\n'))
    const lines = text.slice(0, -1).split('\n')
    for (const line of lines) t.match(JSON.parse(line), { service: 'onceward', msg: String }, line)
    t.equal(text.replaceAll('\n', '').search(/[^ -~]/), -1, 'of printable ASCII')
    t.notMatch(text, /forged|pwned|jndi/)
    t.ok(lines.length >= 10, 'something was logged at all')
  })
}

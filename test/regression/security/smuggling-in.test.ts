import { test } from 'tap'
import { rawExchange, statusesIn } from '../../support/raw-client.ts'
import { leadOf, SHAPES } from '../../support/smuggling-shapes.ts'
import { serverBehind } from '../../support/server-behind.ts'
import { startForTest } from '../../support/start-sidecar.ts'

/** Behind each shape; who still listens answers it and closes. */
const NEXT = 'GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

for (const [way, key] of [['with a key', (nth: number) => `Idempotency-Key: k${nth}\r\n`], ['without one', () => '']] as const) {
  test(`a message whose end could be seen in two places is refused, ${way}, and what hides in it never arrives`, async (t) => {
    const upstream = await serverBehind(t)
    const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
    for (const [nth, shape] of SHAPES.entries()) {
      const before = upstream.requests.length
      const received = await rawExchange(t, sidecar.address, shape.bytes(leadOf(key(nth))) + NEXT)
      const replies = statusesIn(received).map((status) => status >= 400 ? 'refused' : 'taken')
      const arrived = upstream.requests.slice(before).map(({ target }) => target).toSorted() // requests of one client may overtake each other
      if (shape.expected === 'one') t.same({ arrived, replies }, { arrived: ['/next', '/v1/charges'], replies: ['taken', 'taken'] }, shape.name)
      else t.ok(arrived.length === 0 && !replies.includes('taken') && replies.length <= 1, `${shape.name}: ${arrived.join(' ')} ${replies.join(' ')}`)
    }
    t.comment(`${SHAPES.length} shapes`)
  })
}

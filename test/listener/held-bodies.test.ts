import fc from 'fast-check'
import { test } from 'tap'
import { HeldBodies, HeldBody } from '../../src/listener/held-bodies.ts'

test('a body in one chunk is kept as it came, and takes its own size', async (t) => {
  const room = new HeldBodies(1000)
  const body = new HeldBody(room, 1000)
  const chunk = Buffer.from('all of it')
  t.equal(body.add(chunk), 'added')
  t.equal(body.whole(), chunk)
  t.equal(room.bytes, chunk.length)
  body.forget()
  body.forget()
  t.equal(room.bytes, 0, 'given back once')
})

test('a body in chunks of one byte takes at most twice its size', async (t) => {
  const room = new HeldBodies(1 << 20)
  const body = new HeldBody(room, 1 << 20)
  for (let i = 0; i < 100_000; i += 1) {
    body.add(Buffer.of(i % 251))
    if (room.bytes > 2 * (i + 1)) t.fail(`${room.bytes} bytes for ${i + 1}`)
  }
  t.equal(room.bytes, 131_072)
  t.equal(body.whole().buffer.byteLength, room.bytes, 'and what is counted is what memory holds')
})

test('a body as large as all the room fits, in whatever chunks', async (t) => {
  for (const step of [1, 7, 999, 1000]) {
    const room = new HeldBodies(1000)
    const body = new HeldBody(room, 1000)
    for (let sent = 0; sent < 1000; sent += step) t.equal(body.add(Buffer.alloc(Math.min(step, 1000 - sent))), 'added')
    t.equal(body.add(Buffer.of(1)), 'too-large')
    t.equal(body.whole().length, 1000)
  }
})

test('any bodies that share the room arrive whole or are refused, and the room is empty when they are gone', async (t) => {
  const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 12 })
  fc.assert(fc.property(fc.array(chunks, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 300 }), (bodies, capacity, mostBytes) => {
    const room = new HeldBodies(capacity)
    const held = bodies.map(() => new HeldBody(room, mostBytes))
    const refused = new Set<number>()
    const longest = Math.max(...bodies.map((body) => body.length))
    for (let turn = 0; turn < longest; turn += 1) {
      for (const [i, body] of bodies.entries()) {
        const chunk = body[turn]
        if (chunk === undefined || refused.has(i)) continue
        if (held[i]?.add(Buffer.from(chunk)) !== 'added') refused.add(i)
        if (room.bytes > capacity || room.bytes < 0) return false
      }
    }
    for (const [i, body] of bodies.entries()) {
      if (!refused.has(i) && !Buffer.concat(body).equals(held[i]?.whole() ?? Buffer.alloc(0))) return false
    }
    for (const body of held) body.forget()
    return room.bytes === 0
  }))
  t.pass()
})

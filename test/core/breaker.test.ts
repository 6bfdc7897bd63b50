import { test } from 'tap'
import { Breaker } from '../../src/core/breaker.ts'

const SETTINGS = { ratio: 0.5, minAttempts: 10, windowMs: 10_000, pauseMs: 5000 }

function tripped(): Breaker {
  const breaker = new Breaker(SETTINGS)
  for (let i = 0; i < 10; i += 1) breaker.note(i % 2 === 1, 1000)
  return breaker
}

test('it opens when half of the last attempts failed, and not of too few', async (t) => {
  const breaker = new Breaker(SETTINGS)
  for (let i = 0; i < 9; i += 1) breaker.note(true, 1000)
  t.equal(breaker.state, 'closed', 'nine prove nothing')
  t.equal(breaker.waitMs(1000), 0)
  breaker.note(true, 1000)
  t.equal(breaker.state, 'open')
  t.equal(breaker.waitMs(1000), 5000)
  t.equal(breaker.waitMs(5900), 100)
  t.equal(tripped().state, 'open')
})

test('failures that are long past do not count', async (t) => {
  const breaker = new Breaker(SETTINGS)
  for (let i = 0; i < 9; i += 1) breaker.note(true, 1000)
  for (let i = 0; i < 9; i += 1) breaker.note(false, 12_000)
  breaker.note(true, 12_000)
  t.equal(breaker.state, 'closed')
})

test('after the pause one request finds out, and the others wait for it', async (t) => {
  const breaker = tripped()
  t.equal(breaker.waitMs(6000), 0)
  t.equal(breaker.state, 'half-open')
  t.equal(breaker.waitMs(6001), 4999)
  breaker.note(false, 6500)
  t.equal(breaker.state, 'closed')
  t.equal(breaker.waitMs(6501), 0)
  breaker.note(true, 6502)
  t.equal(breaker.state, 'closed', 'and begins anew')
})

test('if it fails, another pause begins', async (t) => {
  const breaker = tripped()
  breaker.waitMs(6000)
  breaker.note(true, 6500)
  t.equal(breaker.state, 'open')
  t.equal(breaker.waitMs(6501), 4999)
})

test('if nobody hears of its end, another one finds out after a pause', async (t) => {
  const breaker = tripped()
  breaker.waitMs(6000)
  t.equal(breaker.waitMs(10_999), 1)
  t.equal(breaker.waitMs(11_000), 0)
})

test('attempts that were under way when it opened say nothing new', async (t) => {
  const breaker = tripped()
  breaker.note(false, 1500)
  t.equal(breaker.state, 'open')
})

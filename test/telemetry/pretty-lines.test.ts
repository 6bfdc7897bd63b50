import { test } from 'tap'
import { PrettyLines } from '../../src/telemetry/pretty-lines.ts'
import { NAUGHTY } from '../support/naughty-strings.ts'

function pretty(line: unknown, coloured = false): string {
  let text = ''
  new PrettyLines({ write: (more: string) => { text += more } }, coloured).write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`)
  return text
}

const LINE = { level: 30, time: Date.UTC(2026, 11, 1, 9, 30, 5, 7), service: 'onceward', route: 'charge', status: 200, cause: 'two words', msg: 'request.settled' }

test('a line says when, how bad, what, and its fields', async (t) => {
  t.equal(pretty(LINE), '09:30:05.007 info  request.settled      route=charge status=200 cause="two words"\n')
  t.equal(pretty({ ...LINE, level: 50, error: 'Error: x\n    at y' }).includes('error\u0020'), true)
  t.match(pretty({ level: 50, time: 0, msg: 'a', error: 'Error: x\n    at y' }), /error=\n  Error: x\n      at y\n$/)
  t.equal(pretty('no JSON'), 'no JSON\n')
  t.equal(pretty('[1]\n\n{"level":30'), '[1]\n{"level":30\n')
  t.ok(pretty(LINE, true).includes('\u001b[32minfo \u001b[0m'))
})

test('whatever a field holds, it moves no cursor and begins no line', async (t) => {
  for (const hostile of [...NAUGHTY, '\u001b[2J', '\u009b2J', '\u007f', 'a\r\nlevel=fatal', '\u202eabc']) {
    const text = pretty({ level: 30, time: 0, msg: hostile, [hostile]: hostile.replaceAll('\n', ' '), more: { deep: hostile } })
    t.notMatch(text.slice(0, -1), /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u, JSON.stringify(hostile))
    t.match(text, /^00:00:00\.000 info {2}/)
  }
})

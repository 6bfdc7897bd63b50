import { test } from 'tap'
import { substitute, variableOf } from '../../src/config/substitute.ts'

const environment = { HOST: '10.0.0.1', PORT: '3000', EMPTY: '', EXPRESSION: '${HOST}', GONE: undefined }

test('variables and defaults are put in, several in one value', (t) => {
  t.strictSame(substitute('http://${HOST}:${PORT:-80}', environment), { kind: 'replaced', text: 'http://10.0.0.1:3000' })
  t.strictSame(substitute('http://${NONE:-a-b.c}:${NOPORT:-80}', environment), { kind: 'replaced', text: 'http://a-b.c:80' })
  t.strictSame(substitute('${EMPTY:-x}', environment), { kind: 'replaced', text: 'x' })
  t.strictSame(substitute('${NONE:-}', environment), { kind: 'replaced', text: '' })
  t.end()
})

test('a text without an expression stays as it is', (t) => {
  for (const text of ['', 'a', '$HOST', '{HOST}', '$$', '$', '$ {HOST}']) t.strictSame(substitute(text, environment), { kind: 'literal' }, text)
  t.end()
})

test('two dollars stand for the characters themselves', (t) => {
  t.strictSame(substitute('$${HOST}', environment), { kind: 'replaced', text: '${HOST}' })
  t.strictSame(substitute('$${HOST}${PORT}', environment), { kind: 'replaced', text: '${HOST}3000' })
  t.end()
})

test('a value is not read for further variables', (t) => {
  t.strictSame(substitute('${EXPRESSION}', environment), { kind: 'replaced', text: '${HOST}' })
  t.end()
})

test('variables that are not set or empty are named', (t) => {
  t.strictSame(substitute('${A}/${HOST}/${EMPTY}/${GONE}', environment), { kind: 'unset', variables: ['A', 'EMPTY', 'GONE'] })
  t.end()
})

test('an expression that is none is said to be malformed', (t) => {
  for (const text of ['${', '${}', '${1A}', '${A-B}', '${A:B}', '${A', '${A:-${B}}', '${A B}', '${A:-{}}']) t.strictSame(substitute(text, environment), { kind: 'malformed' }, text)
  t.end()
})

test('what every object inherits is no variable', (t) => {
  t.strictSame(substitute('${constructor}', environment), { kind: 'unset', variables: ['constructor'] })
  t.equal(variableOf(environment, '__proto__'), undefined)
  t.equal(variableOf(environment, 'HOST'), '10.0.0.1')
  t.end()
})

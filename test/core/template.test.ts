import { test } from 'tap'
import { fillField, fillTarget, fillText, parseTemplate, type Filling, type Template } from '../../src/core/template.ts'

const FILLING: Filling = { key: 'k/1 &?#%', identity: 'acme', fields: ['X-Account', 'a b', 'X-Twice', '1', 'x-twice', '2', 'Connection', 'x-hop', 'X-Hop', 'h', 'X-Latin', '\xe9'], body: Buffer.from('{"id":7,"name":"ö\\n/","deep":{"list":["x"]},"half":1.5,"none":null,"lone":"\\ud800"}') }

function template(text: string): Template {
  const parsed = parseTemplate(text)
  if (parsed === undefined) throw new Error(`no template: ${text}`)
  return parsed
}

test('braces that mean nothing make no template', async (t) => {
  for (const text of ['{', '}', '{}', '{keys}', '{body:}', '{body:id}', '{header:}', '{header:a b}', '{{key}}', 'a{key}b}']) t.equal(parseTemplate(text), undefined, text)
  for (const text of ['', 'plain', '{key}', '{identity}{key}', '{body:/a~1b}', '{header:X-Account}']) t.not(parseTemplate(text), undefined, text)
})

test('in a query a value never becomes structure', async (t) => {
  t.equal(fillTarget(template('/v1/charges?key={key}&account={identity}'), FILLING), '/v1/charges?key=k%2F1%20%26%3F%23%25&account=acme')
  t.equal(fillTarget(template('/q?a={body:/name}&b={body:/id}&c={header:x-account}&d={body:/deep/list/0}'), FILLING), '/q?a=%C3%B6%0A%2F&b=7&c=a%20b&d=x')
  t.equal(fillTarget(template("/q?a={key}"), { ...FILLING, key: "!'()*~" }), '/q?a=%21%27%28%29%2A~')
})

test('in a path a value is one segment, or the question is not asked', async (t) => {
  t.equal(fillTarget(template('/charges/{key}/state'), { ...FILLING, key: 'a?b#c' }), '/charges/a%3Fb%23c/state')
  for (const key of ['.', '..', 'a/b', '../admin', 'a\\b']) t.equal(fillTarget(template('/charges/{key}'), { ...FILLING, key }), null, key)
  t.equal(fillTarget(template('/charges/{key}.{key}'), { ...FILLING, key: '.' }), '/charges/...', 'three dots are a name')
  t.equal(fillTarget(template('/charges/.{key}'), { ...FILLING, key: '.' }), null, 'made of two parts')
})

test('a value that is missing, stands twice or has no plain text leaves the question unasked', async (t) => {
  const missing = ['{body:/nope}', '{body:/deep}', '{body:/half}', '{body:/none}', '{body:/lone}', '{header:x-none}', '{header:x-twice}', '{header:x-hop}', '{header:x-latin}']
  for (const text of missing) {
    t.equal(fillTarget(template(`/q?a=${text}`), FILLING), null, text)
    t.equal(fillText(template(text), FILLING), null, text)
  }
  t.equal(fillTarget(template('/q?a={identity}'), { ...FILLING, identity: null }), null)
  t.equal(fillTarget(template('/q?a={body:/id}'), { ...FILLING, body: Buffer.from('no json') }), null)
})

test('a header takes one line of ASCII and nothing else', async (t) => {
  t.equal(fillField(template('Account {identity}'), FILLING), 'Account acme')
  t.equal(fillField(template('{body:/name}'), FILLING), null)
  for (const identity of ['a\r\nX-Evil: 1', 'a\0', 'é', ' ', 'a ']) t.equal(fillField(template('{identity}'), { ...FILLING, identity }), null, JSON.stringify(identity))
})

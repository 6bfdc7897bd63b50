import { test } from 'tap'
import { needsRestart } from '../../src/config/restart.ts'
import { configOf } from '../support/load-text.ts'

const changed = async (before: string, after: string): Promise<string[]> => needsRestart((await configOf(before)).written, (await configOf(after)).written)

test('what is read at the start only is named when it differs', async (t) => {
  t.same(await changed('', 'service: a\nlisten: 127.0.0.1:1\nlimits: { request_body: 1MiB, kept_reply: 1MiB }\nlog: { level: warn }'), ['service', 'listen', 'limits.request_body', 'log.level'])
  t.same(await changed('listen: 127.0.0.1:1', ''), ['listen'])
})

test('routes, defaults and what is accepted come into force with a reload', async (t) => {
  t.same(await changed('', 'accept: [frees-old-keys]\ndefaults: { retry: { deadline: 1s } }\nroutes: [{ name: a, match: { path: /a } }]'), [])
})

test('a default that is written out is no change', async (t) => {
  t.same(await changed('', 'listen: 127.0.0.1:8080\nlimits: { request_body: 8MiB }\nadmin: {}'), [])
})

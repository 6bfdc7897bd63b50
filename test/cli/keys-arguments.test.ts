import { test } from 'tap'
import { parseArguments } from '../../src/cli/arguments.ts'
import { KEYS_HELP, KEYS_SWITCHES, KEYS_VALUED } from '../../src/cli/keys-arguments.ts'

const read = (...words: string[]) => parseArguments(['keys', ...words])
const BECAUSE = ['--reason', ' ticket 7 ']

test('each verb takes what it needs', (t) => {
  t.strictSame(read('get', '--key', 'k', '--config', 'c', '--data-dir', 'd'), { kind: 'keys', command: { verb: 'get', json: false, selector: { by: 'key', key: 'k' }, bodyFile: null }, flags: { config: 'c', dataDir: 'd' } })
  t.match(read('get', '--operation', 'op_1', '--body-file', 'f', '--json'), { command: { json: true, selector: { by: 'operation', operationRef: 'op_1' }, bodyFile: 'f' } })
  t.match(read('list', '--state', 'uncertain'), { command: { verb: 'list', state: 'uncertain', limit: 100 } })
  t.match(read('list', '--state=in_flight', '--limit', '7'), { command: { state: 'in_flight', limit: 7 } })
  t.match(read('list', '--state', 'accepted'), { command: { state: 'accepted' } })
  t.match(read('audit', '--limit', '10000'), { command: { verb: 'audit', limit: 10_000 } })
  t.match(read('evict', '--key', 'k', ...BECAUSE), { command: { verb: 'evict', signature: { by: null, reason: 'ticket 7' } } })
  t.match(read('forget', '--key', 'k', ...BECAUSE, '--by', 'ada'), { command: { verb: 'forget', signature: { by: 'ada', reason: 'ticket 7' } } })
  t.match(read('resolve', '--key', 'k', ...BECAUSE, '--as', 'not-executed'), { command: { verb: 'resolve', resolution: { as: 'not-executed' } } })
  t.match(read('resolve', '--key', 'k', ...BECAUSE, '--as', 'completed', '--status', '200', '--body-file', 'f', '-H', 'A: b', '--header', 'C: d'), {
    command: { resolution: { as: 'completed', status: 200, bodyFile: 'f', fields: ['A', 'b', 'C', 'd'] } },
  })
  t.strictSame(read('--help'), { kind: 'keys-help' })
  t.strictSame(parseArguments(['--config', 'c', 'keys', 'audit']), { kind: 'keys', command: { verb: 'audit', json: false, limit: 100 }, flags: { config: 'c' } })
  t.end()
})

test('what is wrong is told, all of it, and with what there is', (t) => {
  const mistakes = (...words: string[]) => {
    const command = read(...words)
    return command.kind === 'wrong' ? command.mistakes : command
  }
  t.strictSame(mistakes(), ['keys needs a verb; there is get, list, resolve, evict, forget, audit'])
  t.strictSame(mistakes('forgot'), ['there is no keys forgot; did you mean forget?'])
  t.strictSame(mistakes('list', 'uncertain'), ['keys list takes flags only; uncertain is too much'])
  t.strictSame(mistakes('list'), ['--state uncertain|in_flight|accepted is needed'])
  t.strictSame(mistakes('list', '--state', 'completed'), ['--state completed is not known; there is uncertain, in_flight, accepted'])
  for (const limit of ['0', '10001', 'many', '-1', '1.5']) t.strictSame(mistakes('audit', `--limit=${limit}`), ['--limit is a number from 1 to 10000'], limit)
  t.strictSame(mistakes('forget'), ['--key KEY or --operation OP says which one', '--reason TEXT says why; it is kept with the change'])
  t.strictSame(mistakes('forget', '--key', 'a', '--operation', 'b', ...BECAUSE), ['--key and --operation name the same thing; take one of them'])
  t.strictSame(mistakes('forget', '--key', 'a', '--reason', ' ', '--by', ''), ['--by needs a name', '--reason TEXT says why; it is kept with the change'])
  t.strictSame(mistakes('forget', '--key', 'a', '--reason', 'x'.repeat(1001)), ['--reason has at most 1000 characters'])
  t.strictSame(mistakes('resolve', '--key', 'a', ...BECAUSE), ['--as completed|not-executed is needed'])
  t.strictSame(mistakes('resolve', '--key', 'a', ...BECAUSE, '--as', 'completed'), ['--as completed needs the --status of the reply, from 200 to 599'])
  for (const status of ['100', '600', '20', 'OK']) t.strictSame(mistakes('resolve', '--key', 'a', ...BECAUSE, '--as', 'completed', '--status', status), ['--as completed needs the --status of the reply, from 200 to 599'], status)
  t.strictSame(mistakes('resolve', '--key', 'a', ...BECAUSE, '--as', 'completed', '--status', '200', '-H', 'A: b'), ['-H needs --body-file: a reply is stored whole or not at all'])
  t.strictSame(mistakes('resolve', '--key', 'a', ...BECAUSE, '--as', 'not-executed', '--status', '200'), ['what never ran has no reply: --status, --body-file and -H belong to --as completed'])
  t.strictSame(mistakes('evict', '--key', 'a', ...BECAUSE, '--as', 'completed', '-H', 'A: b'), ['--as does not belong to keys evict', '--header does not belong to keys evict'])
  t.strictSame(mistakes('get', '--kee', 'a'), ['there is no flag --kee; did you mean --key?'])
  t.strictSame(mistakes('get', '--key', 'a', '--upstream', 'b'), ['there is no flag --upstream; there is --config, --data-dir, --key, --operation, --state, --limit, --reason, --by, --as, --status, --body-file, --json, --help, --version'])
  t.strictSame(mistakes('get', '--key'), ['--key needs a value'])
  t.end()
})

test('the help names every flag', (t) => {
  for (const flag of [...KEYS_VALUED, ...KEYS_SWITCHES]) t.ok(KEYS_HELP.includes(flag), flag)
  t.end()
})

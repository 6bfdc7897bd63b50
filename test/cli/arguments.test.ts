import { test } from 'tap'
import { HELP, parseArguments } from '../../src/cli/arguments.ts'
import { OVERRIDES } from '../../src/config/overrides.ts'

const read = (line: string) => parseArguments(line === '' ? [] : line.split(' '))

test('no command means serve', (t) => {
  t.strictSame(read(''), { kind: 'serve', flags: {} })
  t.strictSame(read('--upstream http://a --listen=b --admin c --data-dir d --config e'), {
    kind: 'serve', flags: { upstream: 'http://a', listen: 'b', admin: 'c', dataDir: 'd', config: 'e' },
  })
  t.end()
})

test('check takes one file and the flags that could be given to serve', (t) => {
  t.strictSame(read('check a.yaml'), { kind: 'check', file: 'a.yaml', flags: {} })
  t.strictSame(read('--upstream http://a check a.yaml'), { kind: 'check', file: 'a.yaml', flags: { upstream: 'http://a' } })
  t.match(read('check'), { kind: 'wrong', mistakes: ['check needs a FILE'] })
  t.match(read('check a b'), { kind: 'wrong', mistakes: [/b is too much/] })
  t.match(read('check a --config b'), { kind: 'wrong', mistakes: [/without --config/] })
  t.end()
})

test('migrate takes flags and nothing else', (t) => {
  t.strictSame(read('migrate --config a.yaml'), { kind: 'migrate', flags: { config: 'a.yaml' } })
  t.match(read('migrate up'), { kind: 'wrong', mistakes: [/up is too much/] })
  t.match(read('migrat'), { kind: 'wrong', mistakes: [/did you mean migrate/] })
  t.end()
})

test('explain takes a method, a path, headers and flags', (t) => {
  t.strictSame(parseArguments(['explain', 'POST', '/a', '-H', 'X-A:  b: c ', '--config', 'f', '--header=X-B:', '-HX-C: d', '--upstream', 'http://a']), {
    kind: 'explain', asked: { method: 'POST', target: '/a', fields: ['X-A', 'b: c', 'X-B', '', 'X-C', 'd'] }, flags: { upstream: 'http://a', config: 'f' },
  })
  t.match(read('explain POST'), { kind: 'wrong', mistakes: [/needs a METHOD and a PATH/] })
  t.match(read('explain POST /a /b'), { kind: 'wrong', mistakes: [/\/b is too much/] })
  t.match(read('explain post /a'), { kind: 'wrong', mistakes: ['post is no method; did you mean POST?'] })
  for (const header of ['nonsense', 'a b: c', ': x']) t.match(parseArguments(['explain', 'GET', '/a', '-H', header]), { kind: 'wrong', mistakes: [/-H needs a header/] }, header)
  t.match(parseArguments(['explain', 'GET', '/a', '-H']), { kind: 'wrong', mistakes: [/-H needs a header/] })
  t.match(parseArguments(['check', 'f', '-H', 'a: b']), { kind: 'wrong', mistakes: ['-H belongs to explain'] })
  t.end()
})

test('help and version win over everything else', (t) => {
  for (const line of ['--help', '-h', '--help --nonsense', 'check --help']) t.strictSame(read(line), { kind: 'help' }, line)
  for (const line of ['--version', '-v', '--upstream --version']) t.match(read(line).kind, /version|wrong/, line)
  t.end()
})

test('an unknown flag or command is named together with the nearest', (t) => {
  t.strictSame(read('--upsteam http://a --lisen=b -x'), {
    kind: 'wrong',
    mistakes: [
      'there is no flag --upsteam; did you mean --upstream?',
      'there is no flag --lisen; did you mean --listen?',
      'there is no flag -x; there is --config, --upstream, --listen, --admin, --data-dir, --help, --version',
    ],
  })
  t.strictSame(read('chekc a.yaml'), { kind: 'wrong', mistakes: ['there is no command chekc; did you mean check?'] })
  t.strictSame(read('--data_dir a'), { kind: 'wrong', mistakes: ['there is no flag --data_dir; did you mean --data-dir?'] })
  t.end()
})

test('a flag without a value, or given twice, is a mistake', (t) => {
  t.strictSame(read('--upstream'), { kind: 'wrong', mistakes: ['--upstream needs a value'] })
  t.match(read('--upstream --listen a'), { kind: 'wrong', mistakes: ['--upstream needs a value'] })
  t.strictSame(read('--listen a --listen b'), { kind: 'wrong', mistakes: ['--listen stands twice'] })
  t.strictSame(parseArguments(['--upstream=']), { kind: 'serve', flags: { upstream: '' } }, 'an empty one is judged with the configuration')
  t.end()
})

test('the help names every flag and its variable', (t) => {
  for (const { flag, variable } of OVERRIDES) t.match(HELP, new RegExp(`${flag} .*${variable}`))
  t.end()
})

import { DatabaseError } from 'pg'
import { test } from 'tap'
import { faultOf } from '../../../src/store/postgres/faults.ts'
import { serverUrls } from '../../../src/store/postgres/server-urls.ts'

function said(severity: string, code: string, message = 'as the server says it'): Error {
  const error = new DatabaseError(message, 0, 'error')
  error.severity = severity
  error.code = code
  return error
}

test('an error says that nothing was written only where that is proven', (t) => {
  const cases: readonly [severity: string, code: string, kind: string, why: string][] = [
    ['ERROR', '40001', 'conflict', 'serialization failure'],
    ['ERROR', '40P01', 'conflict', 'deadlock'],
    ['ERROR', '40003', 'unknown', 'the server itself does not know'],
    ['ERROR', '25006', 'stale', 'read-only'],
    ['ERROR', '22021', 'refused', 'bytes that are no text'],
    ['ERROR', '23514', 'refused', 'a CHECK'],
    ['ERROR', '55P03', 'refused', 'locked for too long'],
    ['ERROR', '26000', 'unprepared', 'a pooler in between'],
    ['ERROR', '42P05', 'unprepared', 'a pooler in between'],
    ['ERROR', '0A000', 'unprepared', 'a migration meanwhile'],
    ['ERROR', '57014', 'not-done', 'cancelled before its commit'],
    ['ERROR', '53100', 'not-done', 'disk full'],
    ['ERROR', '53200', 'not-done', 'out of memory'],
    ['ERROR', '42501', 'not-done', 'a privilege that was taken away'],
    ['ERROR', '08P01', 'unknown', 'a pooler that lost its server'],
    ['ERROR', '57P01', 'unknown', 'shutdown, said by a pooler'],
    ['FATAL', '57P01', 'unknown', 'it may come after the commit'],
    ['FATAL', '53300', 'unknown', 'whatever ends a connection'],
    ['PANIC', '53100', 'unknown', 'the log could not be written'],
  ]
  for (const [severity, code, kind, why] of cases) t.equal(faultOf(said(severity, code)).kind, kind, `${severity} ${code}: ${why}`)
  t.equal(faultOf(new Error('read ECONNRESET')).kind, 'unknown', 'what the server has not said')
  t.end()
})

test('an error about data repeats no data', (t) => {
  const error = Object.assign(said('ERROR', '23514', 'new row violates check, failing row contains (secret)'), { constraint: 'key_record_id_check', detail: 'secret' })
  t.strictSame(faultOf(error), { kind: 'refused', detail: '23514 (key_record_id_check)' })
  t.end()
})

test('a URL with several hosts is one URL for each', (t) => {
  t.strictSame(serverUrls('postgres://u:p@a:1,b,[::1]:3/db?sslmode=require&target_session_attrs=read-write'), [
    'postgres://u:p@a:1/db?sslmode=require', 'postgres://u:p@b/db?sslmode=require', 'postgres://u:p@[::1]:3/db?sslmode=require',
  ])
  t.strictSame(serverUrls('postgresql://a/db?target_session_attrs=read-write'), ['postgresql://a/db'])
  t.strictSame(serverUrls('postgres:///db?host=/run/postgresql'), ['postgres:///db?host=/run/postgresql'])
  t.strictSame(serverUrls('something else'), ['something else'])
  t.end()
})

import { test } from 'tap'
import { faultOf } from '../../src/identity/claims.ts'

const NOW_S = 1_800_000_000
const ANY = { issuer: null, audience: null }
const fault = (claims: Readonly<Record<string, unknown>>, rules: Partial<{ issuer: string, audience: string }> = {}) => faultOf(claims, { ...ANY, ...rules }, NOW_S * 1000)

test('a token ends at its exp and begins at its nbf, give or take half a minute', async (t) => {
  t.equal(fault({ exp: NOW_S + 1, nbf: NOW_S - 1 }), undefined)
  t.equal(fault({ exp: NOW_S - 29 }), undefined)
  t.equal(fault({ exp: NOW_S - 30 }), 'it has expired')
  t.equal(fault({ nbf: NOW_S + 30 }), undefined)
  t.equal(fault({ nbf: NOW_S + 31 }), 'it is not valid yet')
  t.equal(fault({ exp: 0 }), 'it has expired')
  t.equal(fault({}), undefined, 'an issuer may make tokens that never end')
})

test('a date that is none is not read as no date', async (t) => {
  for (const value of ['1900000000', null, true, [], {}, Number.NaN]) {
    t.equal(fault({ exp: value }), 'its exp is no date')
    t.equal(fault({ nbf: value }), 'its nbf is no date')
  }
})

test('issuer and audience must be those of the configuration, where it names them', async (t) => {
  t.equal(fault({ iss: 'a' }), undefined)
  t.equal(fault({ iss: 'a' }, { issuer: 'a' }), undefined)
  for (const iss of ['b', 'a/', 'A', ['a'], undefined]) t.equal(fault({ iss }, { issuer: 'a' }), 'it is from another issuer')
  for (const aud of ['x', ['y', 'x']]) t.equal(fault({ aud }, { audience: 'x' }), undefined)
  for (const aud of ['y', 'xx', ['y'], [], [['x']], { x: 'x' }, undefined]) t.equal(fault({ aud }, { audience: 'x' }), 'it is for another audience')
})

test('a token that is bound to a key is nothing without the proof', async (t) => {
  t.match(fault({ cnf: { jkt: 'thumbprint' } }), /DPoP/)
  t.equal(fault({ cnf: { 'x5t#S256': 'thumbprint' } }), undefined, 'a certificate is judged by who ends TLS')
})

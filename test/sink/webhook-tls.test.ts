import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { test } from 'tap'
import { outgoing } from '../contract/sink-situation.ts'
import { accepts, startReceiver } from './webhook-receiver.ts'
import { deliverOne, webhookTo } from './webhook-situation.ts'

test('a certificate is verified, whatever the environment says; a failure is the sink and not the event', async (t) => {
  const folder = t.testdir({})
  const good = certificate(folder, 'good', 'IP:127.0.0.1')
  const foreign = certificate(folder, 'foreign', 'DNS:shop.example')
  const [right, wrong, plain] = [await startReceiver(t, accepts, good), await startReceiver(t, accepts, foreign), await startReceiver(t)]
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  t.teardown(() => { delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'] })
  t.match(await deliverOne(webhookTo(t, right.url), outgoing('a')), { kind: 'retryable', blame: 'sink', cause: 'TLS with the receiver failed (DEPTH_ZERO_SELF_SIGNED_CERT)' })
  t.match(await deliverOne(webhookTo(t, `https://127.0.0.1:${plain.port}/`), outgoing('a')), { kind: 'retryable', blame: 'sink', cause: /^TLS with the receiver failed/ })
  t.equal(right.received.length + plain.received.length, 0)

  const authorities = getCACertificates('default')
  setDefaultCACertificates([...authorities, good.cert, foreign.cert])
  t.teardown(() => setDefaultCACertificates(authorities))
  t.match(await deliverOne(webhookTo(t, right.url), outgoing('a')), { kind: 'delivered' }, 'one that is trusted')
  t.match(await deliverOne(webhookTo(t, wrong.url), outgoing('a')), { kind: 'retryable', blame: 'sink', cause: 'TLS with the receiver failed (ERR_TLS_CERT_ALTNAME_INVALID)' }, 'one of somebody else')
  t.equal(wrong.received.length, 0)
  const named = webhookTo(t, `https://shop.example:${wrong.port}/`, {}, { lookup: (_name, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]) })
  t.match(await deliverOne(named, outgoing('a')), { kind: 'delivered' }, 'it is the name that is verified, not the address')
})

function certificate(folder: string, name: string, subject: string): { key: string, cert: string } {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', `/CN=${name}`, '-addext', `subjectAltName=${subject}`], { stdio: 'ignore' })
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import t from 'tap'
import { readTopic } from '../support/services/kafka-client.ts'
import { startKafka } from '../support/services/kafka.ts'
import { needs } from '../support/services/needs.ts'
import { DELIVERED, eventsIn, kafkaTo, never } from './kafka-situation.ts'

needs(t, 'kafka')

const folder = t.testdir({})
const good = certificate('good')
const foreign = certificate('foreign')
const user = { name: 'relay', password: 'secret-word' }
const broker = await startKafka(t, {
  user,
  settings: {
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,RELAYED:SASL_SSL,CONTROLLER:PLAINTEXT',
    'listener.name.relayed.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
    'listener.name.relayed.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user.name}="${user.password}";`,
    'listener.name.relayed.scram-sha-512.sasl.jaas.config': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    'listener.name.relayed.ssl.keystore.type': 'PEM',
    'listener.name.relayed.ssl.keystore.certificate.chain': oneLine(good.cert),
    'listener.name.relayed.ssl.keystore.key': oneLine(good.key),
  },
})
const at = { host: '127.0.0.1', port: broker.relayedPort }
const tls = { ca: good.cert }

for (const mechanism of ['PLAIN', 'SCRAM-SHA-512'] as const) {
  test(`a broker that wants ${mechanism} over TLS gets it`, async (t) => {
    const topic = await broker.topic(1)
    const sasl = { mechanism, username: user.name, password: user.password }
    const sink = await kafkaTo(t, at, topic, { tls, sasl, transactionalId: mechanism })
    await sink.begin()
    t.strictSame(await sink.deliver(eventsIn(1, 1), never()), [DELIVERED])
    t.equal((await readTopic(broker, topic, 'read_committed')).length, 1)
    const wrong = await kafkaTo(t, at, topic, { tls, sasl: { ...sasl, password: 'no-such-word' }, timeoutMs: 5000 })
    const ends = await wrong.deliver(eventsIn(1, 1), never())
    t.match(ends, [{ kind: 'retryable', blame: 'sink', cause: 'no connection to a broker (the credentials were refused)' }])
    t.notMatch(JSON.stringify(ends), /no-such-word/)
  })
}

test('a certificate is verified, whatever the environment says', async (t) => {
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  t.teardown(() => { delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'] })
  const sasl = { mechanism: 'PLAIN', username: user.name, password: user.password } as const
  for (const ca of [null, foreign.cert]) {
    const sink = await kafkaTo(t, at, 'anything', { tls: { ca }, sasl, timeoutMs: 5000 })
    t.match(await sink.deliver(eventsIn(1, 1), never()), [{ kind: 'retryable', blame: 'sink', cause: /SELF_SIGNED|UNABLE_TO_VERIFY/ }])
  }
  const plain = await kafkaTo(t, at, 'anything', { timeoutMs: 3000 })
  t.match(await plain.deliver(eventsIn(1, 1), never()), [{ kind: 'retryable', blame: 'sink' }], 'and one who forgot TLS is told so')
})

function certificate(name: string): { readonly key: string, readonly cert: string } {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=broker', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' })
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}

/** As a properties file wants it. */
function oneLine(pem: string): string {
  return pem.trim().replaceAll('\n', '\\n')
}

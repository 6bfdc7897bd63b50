import t, { test, type Test } from 'tap'
import { run } from '../support/run-onceward.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'

needs(t, 'postgres')

function configFile(t: Test, store: string): string {
  return `${t.testdir({ 'onceward.yaml': `upstream: http://127.0.0.1:1\nlisten: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\nstore: ${store}\n` })}/onceward.yaml`
}

test('onceward migrate makes the tables, and says so; then a start by hand finds them', async (t) => {
  const config = configFile(t, '{ postgres: { url: "${DATABASE_URL}", migrate: by_hand, schema: keys } }')
  const environment = { DATABASE_URL: await postgresUrl() }
  t.match(await run(t, ['--config', config], environment).ended, { code: 69, output: /onceward migrate/ })
  t.match(await run(t, ['migrate', '--config', config], environment).ended, { code: 0, output: /schema keys now has 0001/ })
  t.match(await run(t, ['migrate', '--config', config], environment).ended, { code: 0, output: /schema keys is up to date/ })
  t.match(await run(t, ['--config', config], environment).ready, /^http/)
})

test('without a Postgres there is nothing to migrate, and with one that is not there it is said without the password', async (t) => {
  t.match(await run(t, ['migrate', '--config', configFile(t, '{ data_dir: ./nowhere }')]).ended, { code: 78, output: /no store.postgres/ })
  const { code, output } = await run(t, ['migrate', '--config', configFile(t, '{ postgres: "postgres://user:hunter2@127.0.0.1:1/db" }')]).ended
  t.equal(code, 69)
  t.match(output, /could not migrate: no connection to the database/)
  t.notMatch(output, /hunter2/)
})

test('in Kubernetes a start on Postgres needs no further words', async (t) => {
  const config = configFile(t, '{ postgres: "${DATABASE_URL}" }')
  t.match(await run(t, ['--config', config], { DATABASE_URL: await postgresUrl(), KUBERNETES_SERVICE_HOST: '10.0.0.1' }).ready, /^http/)
})

import { readFile } from 'node:fs/promises'
import { Ajv } from 'ajv'
import { test } from 'tap'
import { parse } from 'yaml'
import { loadFrom } from '../../src/config/load.ts'
import { formatMistake } from '../../src/config/mistakes.ts'
import { SCHEMA } from '../../src/config/schema.ts'
import { PAGE_FILE, pageWithTable, SCHEMA_FILE, schemaText } from '../support/write-config-reference.ts'

const EXAMPLE = new URL('../../config/onceward.yaml', import.meta.url)

test('config/schema.json is what the schema says (npm run config:reference)', async (t) => {
  t.equal(await readFile(SCHEMA_FILE, 'utf8'), schemaText())
})

test('the table in docs/configuration.md is what the schema says (npm run config:reference)', async (t) => {
  const page = await readFile(PAGE_FILE, 'utf8')
  t.equal(page, pageWithTable(page))
})

test('the example is right and is warned of nothing', async (t) => {
  const loaded = await loadFrom({ config: EXAMPLE.pathname }, {})
  if (loaded.kind === 'faulty') throw new Error(loaded.mistakes.map(formatMistake).join('\n'))
  t.strictSame(loaded.config.warnings, [])
  t.strictSame(loaded.config.routes.map(({ name, action }) => `${name} ${action.kind}`), ['create-charge guard', 'capture-charge guard', 'refund-charge guard', 'webhooks guard', 'catalogue pass', 'uploads pass', 'default guard', 'pass-through pass'])
})

test('a validator that knows nothing of our formats accepts the schema, the example and no typing error', async (t) => {
  const schema: object = JSON.parse(await readFile(SCHEMA_FILE, 'utf8'))
  const ajv = new Ajv({ strict: false, validateFormats: false })
  t.ok(ajv.validateSchema(schema), ajv.errorsText())
  const accepts = ajv.compile(schema)
  const example = await readFile(EXAMPLE, 'utf8')
  t.ok(accepts(parse(example.replaceAll(/^.*\$\{\w+:-\}.*\n/gm, '').replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1'))), ajv.errorsText(accepts.errors))
  for (const wrong of [{}, { upstream: 'x' }, { upstream: 'http://a', lisen: 'b' }, { upstream: 'http://a', limits: { request_body: '8MB' } }, { upstream: 'http://a', defaults: { idempotency: { lease: 60 } } }]) t.notOk(accepts(wrong), JSON.stringify(wrong))
})

test('every field has a description', (t) => {
  const bare: string[] = []
  const walk = (path: string, schema: { readonly properties?: object, readonly additionalProperties?: object | boolean, readonly items?: object, readonly anyOf?: readonly object[] }) => {
    for (const inner of [...(schema.items === undefined ? [] : [schema.items]), ...schema.anyOf ?? [], ...(typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [])]) walk(path, inner)
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      if (typeof field.description !== 'string') bare.push(`${path}.${name}`)
      walk(`${path}.${name}`, field)
    }
  }
  walk('', SCHEMA)
  t.strictSame(bare, [])
  t.end()
})

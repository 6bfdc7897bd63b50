import fc from 'fast-check'
import { test } from 'tap'
import { parseSpec, specText, type FingerprintSpec } from '../../src/core/fingerprint-spec.ts'

const headers = fc.uniqueArray(fc.constantFrom('x-a', 'x-b', 'x-version'), { maxLength: 3 })
const exclude = fc.uniqueArray(fc.constantFrom('/a', '/b/0', '/~0~1', '/'), { maxLength: 3 })
const specs: fc.Arbitrary<FingerprintSpec> = fc.oneof(
  fc.record({ version: fc.constantFrom(1 as const, 2 as const), mode: fc.constant('raw' as const), headers }),
  fc.record({ version: fc.constant(2 as const), mode: fc.constant('json' as const), headers, exclude }),
)

test('a specification is read as it was written, and every two have different texts', async (t) => {
  const [text, read] = [(spec: FingerprintSpec) => JSON.stringify(spec), (spec: FingerprintSpec) => JSON.stringify(parseSpec(specText(spec)))]
  fc.assert(fc.property(specs, specs, (one, other) => read(one) === text(one) && (specText(one) === specText(other)) === (text(one) === text(other))), { numRuns: 1000 })
  t.pass('for 1000 random pairs')
})

test('a specification of version 1 is still what the first release wrote', async (t) => {
  t.strictSame(parseSpec('[1,"raw",["x-a"]]'), { version: 1, mode: 'raw', headers: ['x-a'] })
})

test('what this version does not know is not guessed at', async (t) => {
  for (const text of ['', 'not json', 'null', '{}', '[]', '[3,"raw",[]]', '["2","raw",[]]', '[2,"cbor",[]]', '[1,"json",[],[]]', '[2,"json",[]]', '[2,"raw",[],["/a"]]', '[2,"json",[],["a"]]', '[2,"json",[],[],"more"]', '[2,"raw",[1]]', '[2,"raw","x"]']) {
    t.equal(parseSpec(text), undefined, text)
  }
})

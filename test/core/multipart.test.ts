import fc from 'fast-check'
import { test } from 'tap'
import { boundaryOf, isMultipart, partsOf, withoutBoundary } from '../../src/core/multipart.ts'

const FIELD = 'Content-Disposition: form-data; name="a"\r\n\r\none'
const FILE = 'Content-Disposition: form-data; name="f"; filename="x"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--not a boundary\r\n'

const body = (boundary: string, ...parts: readonly string[]) => Buffer.from(`${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`, 'latin1')
const read = (boundary: string, bytes: Uint8Array) => partsOf(bytes, boundary)?.map((part) => Buffer.from(part).toString('latin1'))

test('the parts are what stands between the boundaries', async (t) => {
  t.strictSame(read('AaB03x', body('AaB03x', FIELD, FILE)), [FIELD, FILE])
  t.strictSame(read('b', Buffer.from(`--b\r\n${FIELD}\r\n--b--`)), [FIELD], 'the last line end may be missing')
  t.strictSame(read('b', Buffer.from('--b\r\n\r\n--b--')), [''], 'a part may be empty')
})

test('parts of any bytes come back, whatever the boundary is', async (t) => {
  const part = fc.string({ unit: fc.constantFrom('\r', '\n', '-', 'a', ':', '\u0000', '\u00ff'), maxLength: 12 })
  const boundary = fc.constantFrom('x', '----WebKitFormBoundaryAbC', "=_'()+,./:=?")
  fc.assert(fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), boundary, (parts, chosen) => JSON.stringify(read(chosen, body(chosen, ...parts))) === JSON.stringify(parts)), { numRuns: 2000 })
  t.pass('for 2000 random bodies')
})

const REFUSED: readonly [string, string][] = [
  ['no body', ''],
  ['a body without any boundary', FIELD],
  ['text before the first boundary', `preamble\r\n--b\r\n${FIELD}\r\n--b--\r\n`],
  ['an empty line before the first boundary', `\r\n--b\r\n${FIELD}\r\n--b--\r\n`],
  ['text behind the last boundary', `--b\r\n${FIELD}\r\n--b--\r\nepilogue`],
  ['text on the line of the last boundary', `--b\r\n${FIELD}\r\n--b--x`],
  ['two line ends behind the last boundary', `--b\r\n${FIELD}\r\n--b--\r\n\r\n`],
  ['a last boundary that is missing', `--b\r\n${FIELD}\r\n`],
  ['only a last boundary', '--b--\r\n'],
  ['a space behind a boundary', `--b \r\n${FIELD}\r\n--b--\r\n`],
  ['lines that end without a carriage return', '--b\nA: b\n\nc\n--b--\n'],
  ['a boundary within a line', `--b\r\n${FIELD}--b\r\n--b--\r\n`],
  ['a boundary behind a line feed alone', `--b\r\n${FIELD}\n--b\r\n${FIELD}\r\n--b--\r\n`],
  ['a longer boundary that begins like ours', `--b\r\n${FIELD}\r\n--bc\r\n${FIELD}\r\n--b--\r\n`],
  ['a boundary right behind another', `--b\r\n--b\r\n${FIELD}\r\n--b--\r\n`],
]

for (const [what, text] of REFUSED) {
  test(`${what} could be cut in two ways and is not cut`, async (t) => t.equal(partsOf(Buffer.from(text), 'b'), undefined))
}

test('the boundary of a Content-Type', async (t) => {
  const rows: readonly [string, string | undefined][] = [
    ['multipart/form-data; boundary=AaB03x', 'AaB03x'], ['multipart/form-data;boundary="a b"', 'a b'], ['Multipart/Mixed; charset=utf-8; BOUNDARY=x ; a=b', 'x'],
    ['multipart/form-data; boundary=----WebKitFormBoundaryAbC123', '----WebKitFormBoundaryAbC123'], [`multipart/form-data; boundary=${'a'.repeat(70)}`, 'a'.repeat(70)],
    ['multipart/form-data', undefined], ['multipart/form-data; boundary=', undefined], ['multipart/form-data; boundary=""', undefined], [`multipart/form-data; boundary=${'a'.repeat(71)}`, undefined],
    ['multipart/form-data; boundary=a; boundary=b', undefined], ['multipart/form-data; boundary=a; boundary*=b', undefined], ['multipart/form-data; boundary*0=a; boundary*1=b', undefined],
    ['multipart/form-data; boundary="a "', undefined], [String.raw`multipart/form-data; boundary="a\"b"`, undefined], ['multipart/form-data; boundary=é', undefined], ['multipart/form-data; xboundary=a', undefined],
  ]
  for (const [type, boundary] of rows) t.equal(boundaryOf(type), boundary, type)
  t.equal(withoutBoundary('multipart/form-data; boundary=a; charset=utf-8'), 'multipart/form-data; charset=utf-8')
  t.ok(isMultipart('MULTIPART/related'))
  t.notOk(isMultipart('application/multipart'))
})

test('no content type and no body make the readers throw', async (t) => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), fc.uint8Array(), (rest, bytes) => {
    const boundary = boundaryOf(`multipart/form-data; boundary=${rest}`)
    partsOf(bytes, boundary ?? 'b')
    return boundary === undefined || boundary.length <= 70
  }))
  t.pass('for 100 random pairs')
})

test('8 MiB of tiny parts, and of almost boundaries, end', async (t) => {
  const tiny = Buffer.from(`${'--b\r\n\r\n'.repeat(8 * 1024 * 128)}--b--`)
  const almost = Buffer.from(`--${'a'.repeat(70)}\r\n${`\r\n--${'a'.repeat(69)}`.repeat(110_000)}\r\n--${'a'.repeat(70)}--`)
  const startedAt = performance.now()
  t.equal(partsOf(tiny, 'b')?.length, 8 * 1024 * 128)
  t.equal(partsOf(almost, 'a'.repeat(70))?.length, 1)
  t.comment(`${Math.round(performance.now() - startedAt)} ms for both`)
})

import { test } from 'tap'
import { isShed, type Traffic } from '../../src/listener/shed.ts'

const ROWS: readonly { readonly delayMs: number, readonly shed: readonly Traffic[] }[] = [
  { delayMs: 0, shed: [] },
  { delayMs: 200, shed: [] },
  { delayMs: 200.1, shed: ['passed'] },
  { delayMs: 400, shed: ['passed'] },
  { delayMs: 400.1, shed: ['passed', 'guarded'] },
]

for (const { delayMs, shed } of ROWS) {
  test(`at a delay of ${delayMs} ms under a limit of 200, ${shed.join(' and ') || 'nothing'} is shed`, async (t) => {
    for (const traffic of ['passed', 'guarded'] as const) t.equal(isShed(traffic, delayMs, 200), shed.includes(traffic), traffic)
  })
}

import { test } from 'tap'
import { preferencesOf, withoutOurPreferences } from '../../src/core/prefer.ts'

const prefer = (...lines: string[]): string[] => lines.flatMap((line) => ['Prefer', line])

test('a client that asks to be answered at once, and how long it waits', async (t) => {
  for (const [lines, respondAsync, waitMs] of [
    [[], false, null],
    [['respond-async'], true, null],
    [['Respond-Async, WAIT=10'], true, 10_000],
    [['return=minimal', 'wait = 3 ; x', 'respond-async;foo="a, b"'], true, 3000],
    [['wait=0'], false, 0],
    [['wait="7"'], false, 7000],
    [['wait=5, wait=9'], false, 5000],
    [['respond-asynchronously'], false, null],
    [['foo="respond-async, wait=3"'], false, null],
    [['foo="a\\", respond-async"'], false, null],
    [['foo="never closed, respond-async'], false, null],
    [['wait'], false, null], [['wait='], false, null], [['wait=-1'], false, null], [['wait=1.5'], false, null], [['wait=1e3'], false, null], [['wait=99999999999'], false, null],
    [[', ,respond-async,, ;'], true, null],
  ] as const) t.strictSame(preferencesOf(prefer(...lines)), { respondAsync, waitMs }, lines.join(' | '))
  t.strictSame(preferencesOf(['X-Prefer', 'respond-async']), { respondAsync: false, waitMs: null })
})

test('what goes on is what is not ours, as it was sent', async (t) => {
  for (const [lines, kept] of [
    [['respond-async'], []],
    [['respond-async, wait=10'], []],
    [['return=minimal, respond-async'], ['return=minimal']],
    [['handling=lenient;a="x, wait=1" ,  wait=4,b'], ['handling=lenient;a="x, wait=1", b']],
    [['return=minimal ,b'], ['return=minimal ,b']],
    [['wait=1', 'return=representation', 'respond-async;x=y'], ['return=representation']],
  ] as const) t.strictSame(withoutOurPreferences(['A', '1', ...prefer(...lines), 'B', '2']), ['A', '1', ...prefer(...kept), 'B', '2'], lines.join(' | '))
})

test('a long line is read in one go', async (t) => {
  const line = `${'a="\\"",'.repeat(20_000)}respond-async`
  t.equal(preferencesOf(prefer(line)).respondAsync, true)
})

import t, { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import { FILE_MS, show, shown } from './shown.ts'

needs(t, 'postgres', 'redis')
t.setTimeout(FILE_MS)

test('one of two sidecars is killed again and again, and for good: no double execution, and every doubt is visible at the other', async (t) => {
  const reports = await shown(t, [show('sidecar-kill'), show('sidecar-loss')])
  t.ok(reports.some(({ counts }) => counts.uncertain > 0), 'somebody was in flight')
})

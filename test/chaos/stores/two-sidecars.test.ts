import t, { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import { FILE_MS, show, shown } from './shown.ts'

needs(t, 'postgres', 'redis')
t.setTimeout(FILE_MS)

test('two sidecars, one database, 8 clients for each of 1,000 keys: as many executions as keys, and one answer for each', async (t) => {
  const [report] = await shown(t, [show('two-sidecars')])
  t.match(report?.counts, { keys: 1000, executions: 1000, sendings: 1000, completed: 1000, uncertain: 0 })
})

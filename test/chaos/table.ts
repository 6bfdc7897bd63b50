import type { Counts, Report } from './trial.ts'

const COLUMNS = ['trials', 'kills', 'keys', 'askings', 'answers', 'sendings', 'executions', 'completed', 'uncertain', 'violations', 'broken'] as const
type Row = Record<typeof COLUMNS[number], number>

/** The campaign in one table, a line per kind of trial, and which check caught what. */
export function table(reports: readonly Report[]): string {
  const rows = new Map<string, Row>()
  const all = emptyRow()
  for (const report of reports) {
    const row = rows.get(report.plan.group) ?? emptyRow()
    rows.set(report.plan.group, row)
    for (const each of [row, all]) add(each, report)
  }
  const lines = [...[...rows].toSorted(([a], [b]) => a.localeCompare(b)), ['all', all] as const]
  const width = Math.max(...lines.map(([name]) => name.length))
  const text = [
    ['', ...COLUMNS].map((name, i) => i === 0 ? name.padEnd(width) : name.padStart(11)).join(''),
    ...lines.map(([name, row]) => name.padEnd(width) + COLUMNS.map((column) => String(row[column]).padStart(11)).join('')),
  ]
  return [
    ...text,
    `killed at: ${tally(reports.flatMap(({ deaths }) => deaths))}`,
    `caught by: ${tally(reports.flatMap(({ violations }) => violations.map(({ check }) => check)))}`,
  ].join('\n')
}

function tally(names: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts.size === 0 ? 'none' : [...counts].toSorted(([a], [b]) => a.localeCompare(b)).map(([name, count]) => `${name} ${count}`).join(', ')
}

function add(row: Row, { violations, broken, deaths, counts }: Report): void {
  row.trials += 1
  row.kills += deaths.length === 0 ? 0 : deaths.length + 1 // and the last one, before the files are read
  row.violations += violations.length
  row.broken += broken === null ? 0 : 1
  for (const name of Object.keys(counts) as (keyof Counts)[]) row[name] += counts[name]
}

function emptyRow(): Row {
  return { trials: 0, kills: 0, keys: 0, askings: 0, answers: 0, sendings: 0, executions: 0, completed: 0, uncertain: 0, violations: 0, broken: 0 }
}

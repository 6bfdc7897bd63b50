import t, { test } from 'tap'
import { HOT, readStatement } from '../../../src/store/postgres/statements.ts'
import { needs } from '../../support/services/needs.ts'
import { postgresUrl } from '../../support/services/postgres.ts'
import { connected, openedStore } from './opened.ts'

needs(t, 'postgres')

/** Those that look up accepted work: they must read no key but those that they are about. */
const OF_WORK = ['begin-work', 'take-work', 'release-work', 'accept', 'accept-free', 'end-work', 'detach-work', 'drop-work', 'discard', 'keys-accepted', 'forget', 'resolve-work'] as const

/** Those that look up the rows of a batch in order to change them. */
const LOOKING_UP = HOT.filter((name) => readStatement(name, 'onceward').text.includes('any (array[a.id])'))

/** Those that insert, and judge what they find there. */
const INSERTING: readonly string[] = ['claim', 'accept', 'shadow-look']

for (const partitions of [1, 4]) {
  test(`plans that are made while the tables are empty are right at any size, in ${partitions} part(s)`, async (t) => {
    const url = await postgresUrl()
    await openedStore(t, url, { partitions })
    const client = await connected(t, url)
    await client.query(readStatement('settings', '').text)
    await client.query('vacuum analyze onceward.key_record, onceward.shadow_key') // now the planner knows that it is empty
    t.equal(LOOKING_UP.length, 13, 'all but claim, accept, confirm and shadow-look')
    for (const name of [...INSERTING, ...LOOKING_UP]) {
      const { text } = readStatement(name, 'onceward')
      const parameters = Math.max(...[...text.matchAll(/\$(\d+)/g)].map(([, place]) => Number(place)))
      await client.query(`prepare "${name}" as ${text}`)
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain (costs off) execute "${name}" (${Array.from({ length: parameters }, () => 'null').join(', ')})`)
      const plan = rows.map((row) => row['QUERY PLAN'])
      t.notOk(plan.some((line) => /Seq Scan on (?:key_record|outbox_event|shadow_key)/.test(line)), `${name} scans nothing`)
      const lookedUp = plan.filter((line) => line.includes('Index Cond: (id = ANY (ARRAY['))
      if (!INSERTING.includes(name)) t.equal(lookedUp.length, name === 'shadow-end' ? 1 : partitions, `${name} looks rows up`)
      if (INSERTING.includes(name) || name === 'complete') t.notOk(plan.some((line) => /Join Filter: .*\.(id|n) = \w+\.\1\b/.test(line)), `${name} does not compare each with each`)
    }
  })
}

for (const partitions of [1, 4]) {
  test(`plans of accepted work read no key that they are not about, in ${partitions} part(s)`, async (t) => {
    const url = await postgresUrl()
    await openedStore(t, url, { partitions })
    const client = await connected(t, url)
    await client.query(readStatement('settings', '').text)
    await client.query('vacuum analyze onceward.key_record, onceward.outbox_event')
    for (const name of OF_WORK) {
      const { text } = readStatement(name, 'onceward')
      const parameters = Math.max(...[...text.matchAll(/\$(\d+)/g)].map(([, place]) => Number(place)))
      await client.query(`prepare "${name}" as ${text}`)
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain (costs off) execute "${name}" (${Array.from({ length: parameters }, () => 'null').join(', ')})`)
      const plan = rows.map((row) => row['QUERY PLAN'])
      const scans = plan.flatMap((line, at) => (/ Scan .*\bon key_record/.test(line) ? [`${line.trim()} | ${plan[at + 1]?.trim() ?? ''}`] : []))
      t.ok((scans.length > 0 || partitions > 1) && scans.every((scan) => scan.includes('| Index Cond:')), `${name}: ${scans.join('; ')}`)
    }
  })
}

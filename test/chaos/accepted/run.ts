import { parseArgs } from 'node:util'
import { acceptedCampaign, type Plan } from './campaign.ts'
import { BUGS } from './order.ts'

/*
 * npm run chaos:accepted [-- options]
 *
 *     --only embedded | postgres   one of the two stores
 *     --requests N --kills N       1,000 and 10
 *     --seed N                     what the service loses (1)
 *     --bug NAME                   with a bug that has to be seen
 *
 * Accepted requests, the sidecar killed -9 while they are accepted and executed, a service that loses some: each was done once or is
 * uncertain, none is lost, every operation ends truthfully, and nobody else is told of it. Exit code 1: something was violated.
 */

const { values } = parseArgs({ options: { requests: { type: 'string', default: '1000' }, kills: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' }, bug: { type: 'string' }, only: { type: 'string' } } })
const bug = BUGS.find((name) => name === values.bug) ?? null
if (values.bug !== undefined && bug === null) throw new Error(`the bugs are ${BUGS.join(', ')}`)
let seen = 0

for (const store of ['embedded', 'postgres'] as const) {
  if (values.only !== undefined && values.only !== store) continue
  seen += await run({ store, requests: Number(values.requests), kills: Number(values.kills), seed: Number(values.seed), bug })
}
process.exitCode = seen > 0 ? 1 : 0

async function run(plan: Plan): Promise<number> {
  const teardowns: (() => unknown)[] = []
  try {
    const { accepted, kills, ends, arrived, violations, tookMs } = await acceptedCampaign({ teardown: (work) => { teardowns.unshift(work) } }, plan)
    console.log(`${plan.store}: ${accepted} accepted, ${kills} kills, ${Object.entries(ends).map(([status, count]) => `${count} ${status}`).join(', ')}, ${arrived} requests reached the service, ${violations.length} violations, ${(tookMs / 1000).toFixed(1)} s`)
    for (const violation of violations.slice(0, 20)) console.log(`VIOLATED: ${violation}`)
    return violations.length
  } finally {
    for (const work of teardowns) await work()
  }
}

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { brokersCampaign } from './brokers.ts'
import { catchUpPicture } from './catch-up-picture.ts'
import { catchUpCampaign } from './catch-up.ts'
import { killsCampaign } from './kills.ts'

/*
 * npm run chaos:relay [-- options]
 *
 *     --only kills | brokers | catch-up    one of the three
 *     --seed N                             what the receiver breaks off (1)
 *
 * kills: 20,000 events, the relay killed -9 twenty times, a receiver that breaks off 5% of the calls. brokers: 50,000 events to Kafka in
 * transactions, while relay and broker are killed, paused and restarted. catch-up: 60,000 events wait after an outage; draws
 * docs/outbox-catch-up.svg. Exit code 0: every bar was met.
 */

const PICTURE = new URL('../../../docs/outbox-catch-up.svg', import.meta.url)

const { values: { only, seed } } = parseArgs({ options: { seed: { type: 'string', default: '1' }, only: { type: 'string' } } })
const teardowns: (() => unknown)[] = []
const t = { teardown: (work: () => unknown) => { teardowns.unshift(work) } }
const missed: string[] = []

try {
  if (only === undefined || only === 'kills') await kills()
  if (only === undefined || only === 'brokers') await brokers()
  if (only === undefined || only === 'catch-up') await catchUp()
} finally {
  for (const work of teardowns) await work()
}
for (const bar of missed) console.log(`MISSED: ${bar}`)
process.exitCode = missed.length === 0 ? 0 : 1

async function kills(): Promise<void> {
  const outcome = await killsCampaign(t, { events: 20_000, lanes: 500, kills: 20, seed: Number(seed) })
  console.log(`kills: ${outcome.events} events, ${outcome.kills} kills, ${outcome.distinct} distinct ids arrived, ${outcome.duplicates} duplicates, ${outcome.left} rows left, ${(outcome.tookMs / 1000).toFixed(1)} s`)
  if (outcome.distinct !== outcome.events) missed.push('every event arrives')
  if (outcome.left !== 0) missed.push('what arrived is settled')
  if (outcome.disordered.length > 0) missed.push(`order holds in every lane: not in ${outcome.disordered.slice(0, 5).join(', ')}`)
  if (outcome.forged.length > 0) missed.push('duplicates are the same event')
}

async function brokers(): Promise<void> {
  const outcome = await brokersCampaign(t, { events: 50_000, lanes: 500, faults: 18 })
  console.log(`brokers: ${outcome.events} events, ${outcome.distinct} distinct ids in committed records, ${outcome.duplicates} duplicates, ${outcome.left} rows left, ${(outcome.tookMs / 1000).toFixed(1)} s`)
  if (outcome.distinct !== outcome.events || outcome.left !== 0) missed.push('every event arrives')
  if (outcome.duplicates > 0) missed.push('none of them twice')
  if (outcome.disordered.length > 0) missed.push(`order holds in every lane: not in ${outcome.disordered.slice(0, 5).join(', ')}`)
}

async function catchUp(): Promise<void> {
  const outcome = await catchUpCampaign(t, { events: 60_000, lanes: 2000, rate: 500, rampS: 10, freshPerSecond: 50 })
  console.log(`catch-up: ${outcome.arrivals.length} events in ${(outcome.tookMs / 1000).toFixed(1)} s, at most ${outcome.fullest} in any second (paced: ${outcome.rate}), ${outcome.left} rows left`)
  if (outcome.fullest > 1.1 * outcome.rate) missed.push('no second sees more than 1.1 times the paced rate')
  if (outcome.left !== 0) missed.push('everything arrives')
  writeFileSync(PICTURE, catchUpPicture(outcome))
}

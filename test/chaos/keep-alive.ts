import { race, type Raced } from './keep-alive-race.ts'

/*
 * npm run chaos:keep-alive [REQUESTS]: the rate of doubts against upstreams with a keep-alive of 2 s, at 50 requests a second
 * each. Ten of them side by side, half of which say how long they wait; 100,000 requests take some 200 s.
 */

const SIDE_BY_SIDE = 10

const requests = Number(process.argv[2] ?? 100_000)
const began = Date.now()
const races = await Promise.all(Array.from({ length: SIDE_BY_SIDE }, (_, i) => (
  race({ requests: Math.ceil(requests / SIDE_BY_SIDE), perSecond: 50, keepAliveMs: 2000, hint: i % 2 === 0, uniform: Math.random })
)))
const sum = (field: keyof Raced): number => races.reduce((total, raced) => total + raced[field], 0)
console.log(`${sum('answered')} answered, ${sum('lost')} in doubt, ${sum('notSent')} not sent; ${sum('connections')} connections, ${sum('closedByUpstream')} closed by the upstream as idle; ${Math.round((Date.now() - began) / 1000)} s`)
if (sum('lost') > 0) process.exitCode = 1

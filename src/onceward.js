#!/usr/bin/env node
// Plain JavaScript on purpose: this file must load on any Node, to say which one is needed.
// The sources run as .ts (Node strips the types), the built package as .js; both start here.
import { existsSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'

const needed = { major: 24, minor: 15 }
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < needed.major || (major === needed.major && minor < needed.minor)) {
  process.stderr.write(`onceward needs Node ${needed.major}.${needed.minor} or newer; this is ${process.version}\n`)
  process.exit(78)
}
// Beside an application there are one or two cores. V8's helper threads for its young generation cost more there than
// they save: a new key took 163 us of CPU without them and 182 with them, in two runs of one load.
setFlagsFromString('--no-parallel-scavenge')
const built = existsSync(new URL('./main.js', import.meta.url))
// First of all: a SIGHUP asks for a reload, and must not end a process that is only just starting.
const { expectReloadSignals } = await import(built ? './host/signals.js' : './host/signals.ts')
expectReloadSignals()
const { main } = await import(built ? './main.js' : './main.ts')
await main(process.argv.slice(2))

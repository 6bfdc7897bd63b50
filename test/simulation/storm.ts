import { writeFile } from 'node:fs/promises'
import { chance } from '../chaos/chance.ts'
import { CALM, loadFactor, simulate, STORM } from './fleet.ts'
import { picture } from './picture.ts'

/* Draws docs/retry-storm.svg (npm run simulate:storm) and says what is in it. */

const FILE = new URL('../../docs/retry-storm.svg', import.meta.url)

const calm = simulate(CALM, chance(1, 'fleet'))
const storm = simulate(STORM, chance(1, 'fleet'))
for (const [name, course] of [['budget and full jitter', calm], ['neither', storm]] as const) {
  const peak = Math.max(...course.load.slice(20, 80))
  console.log(`${name}: ${loadFactor(course, 20, 80).toFixed(3)} times the offered load while the upstream fails (most in one second: ${peak}), ${loadFactor(course, 85, 140).toFixed(3)} afterwards`)
}
await writeFile(FILE, picture(CALM, [
  { name: 'with a shared budget and full jitter', colour: '#1b7f5c', course: calm },
  { name: 'without: four attempts each, no jitter', colour: '#c0392b', course: storm },
]))

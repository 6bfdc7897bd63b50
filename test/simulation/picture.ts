import type { Course, Fleet } from './fleet.ts'

const WIDTH = 860
const HEIGHT = 360
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 28, 44, 48]

/** Both curves over time as an SVG, with nothing but text. */
export function picture(fleet: Fleet, courses: readonly { readonly name: string, readonly colour: string, readonly course: Course }[]): string {
  const offered = fleet.sidecars * fleet.offeredPerSecond
  const seconds = fleet.lastsMs / 1000
  const most = Math.ceil(Math.max(...courses.flatMap(({ course }) => course.load)) / 1000) * 1000
  const x = (second: number): number => LEFT + second / seconds * (WIDTH - LEFT - RIGHT)
  const y = (load: number): number => HEIGHT - BOTTOM - load / most * (HEIGHT - TOP - BOTTOM)
  const lines = courses.map(({ colour, course }) => `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${course.load.map((load, second) => `${x(second + 0.5).toFixed(1)},${y(load).toFixed(1)}`).join(' ')}"/>`)
  const legend = courses.map(({ name, colour }, i) => `<line x1="${LEFT + i * 380}" y1="18" x2="${LEFT + 26 + i * 380}" y2="18" stroke="${colour}" stroke-width="3"/><text x="${LEFT + 34 + i * 380}" y="22">${name}</text>`)
  const ticks = Array.from({ length: most / 1000 + 1 }, (_, i) => `<line x1="${LEFT}" y1="${y(i * 1000)}" x2="${WIDTH - RIGHT}" y2="${y(i * 1000)}" stroke="#e4e4e4"/><text x="${LEFT - 8}" y="${y(i * 1000) + 4}" text-anchor="end">${i * 1000}</text>`)
  const marks = Array.from({ length: Math.floor(seconds / 20) + 1 }, (_, i) => `<text x="${x(i * 20)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${i * 20} s</text>`)
  const [from, to] = [x(fleet.outage.fromMs / 1000), x(fleet.outage.toMs / 1000)]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13" fill="#333">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<rect x="${from}" y="${TOP}" width="${to - from}" height="${HEIGHT - TOP - BOTTOM}" fill="#f6eee2"/>`,
    `<text x="${(from + to) / 2}" y="${TOP + 16}" text-anchor="middle" fill="#8a6d3b">the upstream fails</text>`,
    ...ticks, ...marks,
    `<line x1="${LEFT}" y1="${y(offered)}" x2="${WIDTH - RIGHT}" y2="${y(offered)}" stroke="#888" stroke-dasharray="5 4"/>`,
    `<text x="${WIDTH - RIGHT - 4}" y="${y(offered) + 16}" text-anchor="end" fill="#666">offered: ${offered} a second</text>`,
    ...lines, ...legend,
    `<text x="${WIDTH / 2}" y="${HEIGHT - 10}" text-anchor="middle">requests a second at the upstream, from ${fleet.sidecars} sidecars</text>`,
    '</svg>', '',
  ].join('\n')
}

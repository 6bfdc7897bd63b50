import type { CatchUpOutcome } from './catch-up.ts'

const WIDTH = 860
const HEIGHT = 320
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 28, 32, 48]
const STEP_S = 0.5

/** What the receiver saw in each second over time, as an SVG with nothing but text. */
export function catchUpPicture({ arrivals, rate, fullest }: CatchUpOutcome): string {
  const first = arrivals[0]?.atMs ?? 0
  const seconds = Math.ceil(((arrivals.at(-1)?.atMs ?? 0) - first) / 1000) + 1
  const most = Math.ceil(rate * 1.3 / 100) * 100
  const x = (second: number): number => LEFT + second / seconds * (WIDTH - LEFT - RIGHT)
  const y = (perSecond: number): number => HEIGHT - BOTTOM - perSecond / most * (HEIGHT - TOP - BOTTOM)
  const sums = new Array<number>(Math.ceil(seconds / STEP_S)).fill(0)
  for (const { atMs } of arrivals) {
    const step = Math.floor((atMs - first) / 1000 / STEP_S)
    sums[step] = (sums[step] ?? 0) + 1
  }
  const points = sums.map((sum, step) => `${x((step + 0.5) * STEP_S).toFixed(1)},${y(sum / STEP_S).toFixed(1)}`)
  const every = Math.max(10, Math.ceil(seconds / 80) * 10)
  const ticks = Array.from({ length: most / 100 + 1 }, (_, i) => `<line x1="${LEFT}" y1="${y(i * 100)}" x2="${WIDTH - RIGHT}" y2="${y(i * 100)}" stroke="#e4e4e4"/><text x="${LEFT - 8}" y="${y(i * 100) + 4}" text-anchor="end">${i * 100}</text>`)
  const marks = Array.from({ length: Math.floor(seconds / every) + 1 }, (_, i) => `<text x="${x(i * every)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${i * every} s</text>`)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13" fill="#333">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...ticks, ...marks,
    `<line x1="${LEFT}" y1="${y(rate * 1.1)}" x2="${WIDTH - RIGHT}" y2="${y(rate * 1.1)}" stroke="#c0392b" stroke-dasharray="5 4"/>`,
    `<text x="${WIDTH - RIGHT - 4}" y="${y(rate * 1.1) - 6}" text-anchor="end" fill="#c0392b">1.1 times the paced rate; the fullest second had ${fullest}</text>`,
    `<polyline fill="none" stroke="#1b7f5c" stroke-width="2" points="${points.join(' ')}"/>`,
    `<text x="${WIDTH / 2}" y="${HEIGHT - 10}" text-anchor="middle">events a second at the receiver, after an outage that left ${arrivals.length > 1000 ? `${Math.floor(arrivals.length / 1000)},000` : arrivals.length} of them</text>`,
    '</svg>', '',
  ].join('\n')
}

/** For people: `2026-03-01T12:00:00.000Z`. */
export function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString()
}

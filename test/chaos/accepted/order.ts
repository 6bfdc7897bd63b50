/* What a life of the sidecar is told. */

/**
 * `begin-takes`: what was under way when a process died is begun again, whatever the policy says. `doubts-are-free`: what nobody
 * knows is put back to be executed. `accept-late`: 202 is said before anything is stored. `anybody`: all clients are one.
 */
export const BUGS = ['begin-takes', 'doubts-are-free', 'accept-late', 'anybody'] as const
export type Bug = typeof BUGS[number]

export interface Order {
  readonly yaml: string
  readonly logFile: string
  readonly bug: Bug | null
}

/** Of the node that runs this. */
export function nodeVersion(): string {
  return process.versions.node
}

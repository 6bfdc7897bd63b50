import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

export interface StoreFiles {
  readonly database: string
  readonly log: string
  readonly witness: string
}

export function filesIn(dataDir: string): StoreFiles {
  const database = join(dataDir, 'onceward.db')
  return { database, log: `${database}-wal`, witness: join(dataDir, 'onceward.witness') }
}

export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

interface Seen {
  readonly path: string
  readonly device: number
  readonly inode: number
  size: number
}

/**
 * Watches that the paths still lead to the files that are open. An unlinked file takes writes and fsyncs happily
 * and is gone with the process; a shortened one has lost what was acknowledged. Neither ever shrinks in our hands
 * while it is watched: the log is reset in place and cut only at start and end.
 */
export class FileWatch {
  readonly #seen: Seen[]

  constructor(files: StoreFiles) {
    this.#seen = [files.database, files.log, files.witness].map((path) => {
      const { dev, ino, size } = statSync(path)
      return { path, device: dev, inode: ino, size }
    })
  }

  /** The first path that no longer leads to its file; undefined when all is well. */
  lost(): string | undefined {
    for (const seen of this.#seen) {
      const now = statSync(seen.path, { throwIfNoEntry: false })
      if (now === undefined || now.ino !== seen.inode || now.dev !== seen.device || now.size < seen.size) return seen.path
      seen.size = now.size
    }
    return undefined
  }
}

/** The process that holds a lock on a file, where the kernel tells (Linux; not across pid namespaces). Opens nothing but /proc/locks. */
export function lockHolder(path: string): string | undefined {
  try {
    const inode = String(statSync(path).ino)
    // 1: POSIX  ADVISORY  WRITE 4051 fe:00:9977907 1073741824 1073742335
    for (const line of readFileSync('/proc/locks', 'latin1').split('\n')) {
      const [, , , mode, pid, file] = line.split(/\s+/)
      if (mode === 'WRITE' && Number(pid) > 0 && file?.split(':')[2] === inode) return pid
    }
  } catch {
    // Not every system has /proc/locks; the error names the file anyway.
  }
  return undefined
}

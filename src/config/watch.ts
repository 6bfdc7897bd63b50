import { watch, type FSWatcher } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { sha256 } from '../core/digest.ts'
import type { Clock } from '../core/ports.ts'

/** A file is looked at once its folder has been still for so long: a change is often several steps, of an editor or of a kubelet. */
const STILL_MS = 200

/** Where the system tells nothing (network file systems, no inotify watches left, a link into another folder), a change is seen this late. */
const POLL_MS = 10_000

export interface WatchOptions {
  readonly file: string
  /** what `digestOf` said before the file was last read */
  readonly digest: string | null
  readonly clock: Clock
  readonly changed: () => void
}

/** The file's content as a digest; null if it cannot be read. */
export async function digestOf(file: string): Promise<string | null> {
  try {
    return sha256(await readFile(file))
  } catch {
    return null
  }
}

/**
 * Calls `changed` whenever the file has other content than before. It is the folder that is watched: editors put a new
 * file in the old one's place, and a ConfigMap's file is a link by way of `..data`, which is swapped as a whole while
 * the link itself never changes.
 */
export class FileWatch {
  readonly #options: WatchOptions
  #digest: string | null
  #watcher: FSWatcher | null = null
  /** which folder is being watched; one that was put in its place has another inode */
  #inode = 0
  #running = false
  #cancelLook: () => void = () => undefined
  #cancelPoll: () => void = () => undefined

  constructor(options: WatchOptions) {
    this.#options = options
    this.#digest = options.digest
  }

  /** Resolves once the folder is watched and what changed since the digest was taken has been noticed. */
  async start(): Promise<void> {
    if (this.#running) return
    this.#running = true
    await this.#poll()
  }

  stop(): void {
    this.#running = false
    this.#cancelLook()
    this.#cancelPoll()
    this.#letGo()
  }

  async #poll(): Promise<void> {
    await this.#watchFolder()
    await this.#look()
    if (this.#running) this.#cancelPoll = this.#options.clock.after(POLL_MS, () => void this.#poll())
  }

  async #watchFolder(): Promise<void> {
    const folder = dirname(this.#options.file)
    try {
      const { ino } = await stat(folder)
      if (!this.#running || (this.#watcher !== null && ino === this.#inode)) return
      this.#letGo()
      this.#watcher = watch(folder, { persistent: false }, () => this.#stirred()).on('error', () => this.#letGo())
      this.#inode = ino
    } catch {
      this.#letGo()
    }
  }

  #letGo(): void {
    this.#watcher?.close()
    this.#watcher = null
  }

  #stirred(): void {
    this.#cancelLook()
    if (this.#running) this.#cancelLook = this.#options.clock.after(STILL_MS, () => void this.#look())
  }

  async #look(): Promise<void> {
    const digest = await digestOf(this.#options.file)
    if (!this.#running || digest === this.#digest) return
    this.#digest = digest
    this.#options.changed()
  }
}

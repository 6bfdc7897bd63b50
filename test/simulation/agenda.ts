interface Item {
  readonly atMs: number
  readonly task: () => void
}

/** Virtual time: tasks in the order of their instants, by a binary heap. */
export class Agenda {
  readonly #heap: Item[] = []
  nowMs = 0

  readonly monotonicMs = (): number => this.nowMs

  at(atMs: number, task: () => void): void {
    const heap = this.#heap
    heap.push({ atMs, task })
    for (let i = heap.length - 1; i > 0;) {
      const parent = (i - 1) >> 1
      if (instant(heap[parent]) <= instant(heap[i])) return
      this.#swap(i, parent)
      i = parent
    }
  }

  /** Runs everything up to `endMs`. */
  run(endMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.#takeFirst()
      this.nowMs = next.atMs
      next.task()
    }
    this.nowMs = endMs
  }

  #takeFirst(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    for (let i = 0;;) {
      const [left, right] = [2 * i + 1, 2 * i + 2]
      let least = i
      if (instant(this.#heap[left]) < instant(this.#heap[least])) least = left
      if (instant(this.#heap[right]) < instant(this.#heap[least])) least = right
      if (least === i) return
      this.#swap(i, least)
      i = least
    }
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a], this.#heap[b]]
    if (one === undefined || other === undefined) return
    this.#heap[a] = other
    this.#heap[b] = one
  }
}

function instant(item: Item | undefined): number {
  return item?.atMs ?? Infinity
}

interface Entry {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/** Future events in virtual time: the earliest first, and in order of insertion when times are equal. */
export class EventQueue {
  readonly #heap: Entry[] = []
  #order = 0
  /** Milliseconds since the start of the simulation. */
  now = 0

  later(milliseconds: number, run: () => void): void {
    const heap = this.#heap
    heap.push({ at: this.now + milliseconds, order: this.#order++, run })
    let index = heap.length - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(heap[index]!, heap[parent]!)) break
      swap(heap, index, parent)
      index = parent
    }
  }

  /** Runs the next event. @returns false when none is left */
  runNext(): boolean {
    const heap = this.#heap
    const first = heap[0]
    if (first === undefined) return false
    const last = heap.pop()!
    if (heap.length > 0) {
      heap[0] = last
      sink(heap)
    }
    this.now = first.at
    first.run()
    return true
  }
}

function sink(heap: Entry[]): void {
  for (let index = 0; ; ) {
    const left = 2 * index + 1
    let least = index
    for (const child of [left, left + 1])
      if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child
    if (least === index) return
    swap(heap, index, least)
    index = least
  }
}

function isBefore(left: Entry, right: Entry): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order)
}

function swap(heap: Entry[], left: number, right: number): void {
  const held = heap[left]!
  heap[left] = heap[right]!
  heap[right] = held
}

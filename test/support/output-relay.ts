import type { Writable } from 'node:stream'

/** One of several outputs that a relay concatenates. */
export interface RelayedOutput {
  write(bytes: Buffer): void
  end(): void
}

/** Passes on the output of several processes whole, in the order in which they were opened: the first as it comes. */
export class Relay {
  readonly #target: Writable
  readonly #waiting: { pending: Buffer[]; isOver: boolean }[] = []

  constructor(target: Writable) {
    this.#target = target
  }

  open(): RelayedOutput {
    const one: { pending: Buffer[]; isOver: boolean } = { pending: [], isOver: false }
    this.#waiting.push(one)
    return {
      write: (bytes) => {
        one.pending.push(bytes)
        this.#flush()
      },
      end: () => {
        one.isOver = true
        this.#flush()
      }
    }
  }

  #flush(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      for (const bytes of first.pending.splice(0)) this.#target.write(bytes)
      if (!first.isOver) return
      this.#waiting.shift()
    }
  }
}

/** Maximum number of events waiting while one is handled. */
const QUEUE_MAX = 16_384

/** Handles events strictly one after the other. The handler catches its own errors. */
export class EventQueue<Event> {
  readonly #take: (event: Event) => Promise<void>
  readonly #waiting: Event[] = []
  #running: Promise<void> | undefined
  #closed = false

  constructor(take: (event: Event) => Promise<void>) {
    this.#take = take
  }

  /** Whether there is room for events that can be repeated later. */
  get hasRoom(): boolean {
    return !this.#closed && this.#waiting.length < QUEUE_MAX
  }

  push(event: Event): void {
    if (this.#closed) return
    this.#waiting.push(event)
    this.#running ??= this.#drain()
  }

  /** Drops waiting events; resolves when the current one has been handled. */
  async close(): Promise<void> {
    this.#closed = true
    this.#waiting.length = 0
    await this.#running
  }

  async #drain(): Promise<void> {
    for (;;) {
      const event = this.#waiting.shift()
      if (event === undefined) break
      await this.#take(event)
    }
    this.#running = undefined
  }
}

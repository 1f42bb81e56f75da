/** Most events that wait for one that is being taken. */
const QUEUE_MAX = 16_384

/** Takes events one after the other, each to its end before the next begins. What takes them handles its own errors. */
export class EventQueue<Event> {
  readonly #take: (event: Event) => Promise<void>
  readonly #waiting: Event[] = []
  #running: Promise<void> | undefined
  #closed = false

  constructor(take: (event: Event) => Promise<void>) {
    this.#take = take
  }

  /** Whether there is room for events that may as well come again later. */
  get hasRoom(): boolean {
    return !this.#closed && this.#waiting.length < QUEUE_MAX
  }

  push(event: Event): void {
    if (this.#closed) return
    this.#waiting.push(event)
    this.#running ??= this.#drain()
  }

  /** Drops what waits; resolves when the event that is being taken has come to its end. */
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

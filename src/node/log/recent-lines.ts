/** Lines that are kept for who asks later. */
const LINES_MAX = 1_000
/** Longer ones are not kept, characters. */
const LINE_MAX = 16_384

/** The last lines of a log, and who listens to the next ones. */
export class RecentLines {
  readonly #lines: string[] = []
  readonly #listeners = new Set<(line: string) => void>()

  /** @param line JSON with its line end */
  write(line: string): void {
    const text = line.trimEnd()
    if (text.length > LINE_MAX) return
    this.#lines.push(text)
    if (this.#lines.length > LINES_MAX) this.#lines.shift()
    for (const listener of this.#listeners) listener(text)
  }

  /** Oldest first. */
  lines(): readonly string[] {
    return this.#lines
  }

  /** Calls a listener with every line from now on. @returns ends that */
  listen(listener: (line: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

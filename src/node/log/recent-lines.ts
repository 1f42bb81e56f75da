/** Number of lines kept for later readers. */
const LINES_MAX = 1_000
/** Maximum length of a line that is kept, characters. */
const LINE_MAX = 16_384

/** The last lines of a log, and the listeners to further ones. */
export class RecentLines {
  readonly #lines: string[] = []
  readonly #listeners = new Set<(line: string) => void>()

  /** @param line JSON with its line ending */
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

  /** Calls a listener with every further line. @returns a function that stops it */
  listen(listener: (line: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

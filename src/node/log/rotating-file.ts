import { closeSync, fstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'

/** When a file is full, and how many full ones stay. */
export interface RotationTerms {
  /** Bytes. */
  readonly maxSize: number
  readonly keepFiles: number
}

/** The rotation where nobody says otherwise. */
export const ROTATION_DEFAULTS: RotationTerms = { maxSize: 20 * 2 ** 20, keepFiles: 4 }

/**
 * A file that lines are appended to, each on the disk's way when `write` returns: the last lines before a crash are the
 * ones that matter. When it is full it becomes `<path>.1`, that one `<path>.2`, and so on; the oldest goes. A disk that
 * refuses loses lines, never the daemon.
 */
export class RotatingFile {
  readonly #path: string
  readonly #terms: RotationTerms
  #file: number | undefined
  #size = 0

  constructor(path: string, terms: RotationTerms) {
    this.#path = path
    this.#terms = terms
  }

  write(line: string): void {
    try {
      const bytes = Buffer.from(line)
      this.#open()
      if (this.#size > 0 && this.#size + bytes.length > this.#terms.maxSize) this.#rotate()
      writeSync(this.#open(), bytes)
      this.#size += bytes.length
    } catch {
      this.close()
    }
  }

  close(): void {
    if (this.#file === undefined) return
    try {
      closeSync(this.#file)
    } catch {
      // What could not be closed is given up all the same.
    }
    this.#file = undefined
  }

  #open(): number {
    if (this.#file === undefined) {
      this.#file = openSync(this.#path, 'a', 0o600)
      this.#size = fstatSync(this.#file).size
    }
    return this.#file
  }

  #rotate(): void {
    this.close()
    const { keepFiles } = this.#terms
    const numbered = (number: number) => (number === 0 ? this.#path : `${this.#path}.${number}`)
    rmSync(numbered(keepFiles), { force: true })
    for (let number = keepFiles - 1; number >= 0; number--) {
      try {
        renameSync(numbered(number), numbered(number + 1))
      } catch {
        // There need not be one yet.
      }
    }
  }
}

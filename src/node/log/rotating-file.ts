import { closeSync, fstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'

/** The size at which a file is rotated, and how many rotated files are kept. */
export interface RotationTerms {
  /** Bytes. */
  readonly maxSize: number
  readonly keepFiles: number
}

/** The default rotation. */
export const ROTATION_DEFAULTS: RotationTerms = { maxSize: 20 * 2 ** 20, keepFiles: 4 }

/**
 * A file to which lines are appended. Each has been handed to the system when `write` returns, because the last lines
 * before a crash matter most. A full file becomes `<path>.1`, that one `<path>.2`, and so on; the oldest is deleted. A
 * failing disk loses lines, but never stops the daemon.
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

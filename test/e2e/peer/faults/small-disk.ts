import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, cpSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Space for a home, its rounds and some more. */
const DISK_MIB = 96

/** A small disk that a test can fill. */
export class SmallDisk {
  readonly #folder: string
  readonly #ballast: string

  private constructor(folder: string) {
    this.#folder = folder
    this.#ballast = join(folder, 'ballast')
  }

  /** Moves a folder onto a small disk of its own; undefined where none can be mounted (it needs Linux and root). */
  static async mount(folder: string): Promise<SmallDisk | undefined> {
    const moved = `${folder}.prepared`
    renameSync(folder, moved)
    await mkdir(folder)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', folder], { stdio: 'pipe' })
    } catch {
      rmSync(folder, { recursive: true })
      renameSync(moved, folder)
      return undefined
    }
    cpSync(moved, folder, { recursive: true })
    rmSync(moved, { recursive: true })
    return new SmallDisk(folder)
  }

  /** Writes a file until the disk is full. */
  fill(): void {
    const file = openSync(this.#ballast, 'w')
    try {
      for (let bytes = 1024 * 1024; bytes >= 1; ) {
        try {
          writeSync(file, new Uint8Array(bytes))
        } catch (error) {
          assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
          bytes = Math.floor(bytes / 2)
        }
      }
    } finally {
      closeSync(file)
    }
  }

  /** Removes that file. */
  free(): void {
    rmSync(this.#ballast)
  }

  unmount(): void {
    execFileSync('umount', [this.#folder])
  }
}

import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, rename, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { storeError, syncFolder } from '../storage/index.ts'

/** Source of the bytes that an earlier run left. */
const EARLIER = 'an earlier run'

/** A file that is being fetched, in `PATH.partial`: what an earlier run has got counts. */
export class PartialFile {
  readonly #path: string
  readonly #file: FileHandle
  #hash: Hash
  #length: number
  /** Who brought bytes of it. */
  readonly sources = new Set<string>()

  private constructor(path: string, file: FileHandle, hash: Hash, length: number) {
    this.#path = path
    this.#file = file
    this.#hash = hash
    this.#length = length
    if (length > 0) this.sources.add(EARLIER)
  }

  static async open(path: string): Promise<PartialFile> {
    const file = await open(`${path}.partial`, 'a+', 0o644)
    try {
      const hash = createHash('sha256')
      let length = 0
      for await (const chunk of createReadStream(`${path}.partial`)) {
        hash.update(chunk as Uint8Array)
        length += (chunk as Uint8Array).length
      }
      return new PartialFile(path, file, hash, length)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get length(): number {
    return this.#length
  }

  /** SHA-256 of what is there. */
  digest(): Uint8Array {
    return this.#hash.copy().digest()
  }

  /** @throws {StoreError} saying what to do when the disk does not take it; what was there stays */
  async append(bytes: Uint8Array, source: string): Promise<void> {
    try {
      await this.#file.appendFile(bytes)
    } catch (error) {
      throw storeError(`writing ${this.#path}.partial (it is continued at the next start)`, error)
    }
    this.#hash.update(bytes)
    this.#length += bytes.length
    this.sources.add(source)
  }

  /** Begins anew: nothing of it stays. */
  async reset(): Promise<void> {
    await this.#file.truncate(0)
    this.#hash = createHash('sha256')
    this.#length = 0
    this.sources.clear()
  }

  /** Gives the file its name. */
  async finish(): Promise<void> {
    await this.#file.sync()
    await rename(`${this.#path}.partial`, this.#path)
    await syncFolder(dirname(this.#path))
  }

  /** Bytes that the disk still takes. */
  async room(): Promise<number> {
    const { bavail, bsize } = await statfs(dirname(this.#path))
    return bavail * bsize
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

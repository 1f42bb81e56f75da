import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BLOCK_BYTES_MAX, sha256Hex } from '../../adapter/index.ts'
import { syncFile, syncFolder, TEMPORARY_ENDING, writeFileWhole } from './atomic-file.ts'
import type { Log } from './log.ts'
import { errorCode, StoreError, storeError } from './store-error.ts'

/** As many as Node has threads for. */
const FLUSHES_AT_ONCE = 4
const DIGEST_PATTERN = /^[0-9a-f]{64}$/

/**
 * Shard blocks on disk, one file a block, named by its SHA-256. What is read is what was written: every read checks
 * the digest.
 */
export class BlockStore {
  readonly #folder: string
  readonly #log: Log

  private constructor(folder: string, log: Log) {
    this.#folder = folder
    this.#log = log
  }

  /**
   * Opens (and makes, where missing) `<home>/blocks`, and removes what an interrupted write left there. For the process
   * that owns the home, before it starts others: their writes would look interrupted.
   *
   * @throws {StoreError}
   */
  static async open(home: string, log: Log): Promise<BlockStore> {
    const folder = join(home, 'blocks')
    try {
      await mkdir(folder, { recursive: true })
      for (const name of await readdir(folder)) {
        if (name.endsWith(TEMPORARY_ENDING)) await rm(join(folder, name), { force: true })
      }
    } catch (error) {
      throw storeError(`cannot open the block store ${folder}`, error)
    }
    return new BlockStore(folder, log)
  }

  /** The block store of a home that another thread or process has opened. */
  static shared(home: string, log: Log): BlockStore {
    return new BlockStore(join(home, 'blocks'), log)
  }

  /** Whether a file of that name is there; its contents are checked by {@link get} alone. */
  async has(digest: string): Promise<boolean> {
    const path = this.#path(digest)
    try {
      return (await stat(path)).isFile()
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false
      throw storeError(`cannot look for block ${digest}`, error)
    }
  }

  /**
   * The block, or undefined when it is not there. A damaged block is removed, logged and not there, so that it is
   * fetched again.
   *
   * @throws {StoreError} for a name that is no digest, or a disk that does not read
   */
  async get(digest: string): Promise<Uint8Array | undefined> {
    const path = this.#path(digest)
    let bytes: Uint8Array | undefined
    try {
      bytes = await readAtMost(path, BLOCK_BYTES_MAX)
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined
      throw storeError(`cannot read block ${digest}`, error)
    }
    if (bytes !== undefined && sha256Hex(bytes) === digest) return bytes
    this.#log.warn({ digest, path }, 'a stored block is damaged; it is removed and will be fetched again')
    await this.delete(digest)
    return undefined
  }

  /**
   * Stores a block; resolves when it is on the disk. Storing what is there already changes nothing.
   *
   * @throws {StoreError} when the bytes do not have that digest or are too many, or the disk refuses
   */
  async put(digest: string, bytes: Uint8Array): Promise<void> {
    if (sha256Hex(bytes) !== digest)
      throw new StoreError(`block ${digest} does not have the bytes it is named after`)
    if ((await this.get(digest)) !== undefined) return
    await this.putVerified(digest, bytes)
    await this.flush([digest])
  }

  /**
   * Stores a block whose digest the caller has checked. It can be read at once, and is lost or damaged if the power fails
   * before {@link flush}: what is read is checked, so that nobody takes it for whole then.
   *
   * @throws {StoreError} when the bytes are too many, or the disk refuses
   */
  async putVerified(digest: string, bytes: Uint8Array): Promise<void> {
    if (bytes.length > BLOCK_BYTES_MAX)
      throw new StoreError(`a block of ${bytes.length} bytes is not stored; at most ${BLOCK_BYTES_MAX} are`)
    await writeFileWhole(this.#path(digest), bytes)
  }

  /** Resolves when these blocks are on the disk. @throws {StoreError} */
  async flush(digests: readonly string[]): Promise<void> {
    if (digests.length === 0) return
    try {
      const left = [...digests]
      const flushNext = async () => {
        for (let digest = left.pop(); digest !== undefined; digest = left.pop())
          await syncFile(this.#path(digest))
      }
      await Promise.all(Array.from({ length: FLUSHES_AT_ONCE }, flushNext))
      await syncFolder(this.#folder)
    } catch (error) {
      throw storeError(`cannot write ${digests.length} block(s) to the disk`, error)
    }
  }

  /** Removes a block; nothing happens when it is not there. */
  async delete(digest: string): Promise<void> {
    try {
      await rm(this.#path(digest), { force: true })
    } catch (error) {
      throw storeError(`cannot delete block ${digest}`, error)
    }
  }

  /** Digests of all blocks, sorted. */
  async list(): Promise<string[]> {
    try {
      return (await readdir(this.#folder)).filter((name) => DIGEST_PATTERN.test(name)).sort()
    } catch (error) {
      throw storeError(`cannot list ${this.#folder}`, error)
    }
  }

  #path(digest: string): string {
    if (!DIGEST_PATTERN.test(digest)) {
      throw new StoreError(`${JSON.stringify(digest.slice(0, 80))} is no digest of 64 lowercase hex digits`)
    }
    return join(this.#folder, digest)
  }
}

/** A file's bytes, or undefined when it has more than `maximum`. */
async function readAtMost(path: string, maximum: number): Promise<Uint8Array | undefined> {
  const file = await open(path, 'r')
  try {
    return (await file.stat()).size > maximum ? undefined : await file.readFile()
  } finally {
    await file.close()
  }
}

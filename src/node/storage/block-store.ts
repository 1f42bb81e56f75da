import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BLOCK_BYTES_MAX } from '../../adapter/index.ts'
import { sha256Hex } from '../../formats/index.ts'
import type { Log } from '../log/log.ts'
import { syncFile, syncFolder, TEMPORARY_ENDING, writeFileWhole } from './atomic-file.ts'
import { errorCode, StoreError, storeError } from './store-error.ts'

/** As many as Node has threads for. */
const FLUSHES_AT_ONCE = 4
/** Blocks from this length on are put on the disk while others are still coming; small ones together, at the end. */
const FLUSH_AHEAD_BYTES_MIN = 64 * 1024
/** Blocks that may be on their way to the disk behind what is being written. */
const FLUSHES_AHEAD_MAX = 2
/** How long a block that was found whole is served without being looked through again, milliseconds. */
const TRUST_MS = 10 * 60_000
/** Blocks of which something is remembered, the latest. */
const REMEMBERED_MAX = 16_384
const DIGEST_PATTERN = /^[0-9a-f]{64}$/

/**
 * Shard blocks on disk, one file a block, named by its SHA-256. What is read is what was written: every read checks
 * the digest.
 */
export class BlockStore {
  readonly #folder: string
  readonly #log: Log
  /** Blocks that are being put on the disk ahead of {@link flush}, or have been. */
  readonly #ahead = new Map<string, Promise<void>>()
  readonly #flushing = new Set<Promise<void>>()
  /** When a block was written by this process, or found whole, milliseconds since 1970. */
  readonly #trusted = new Map<string, number>()

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
   * @param memory where the block is put if it is large enough, else in new memory
   * @throws {StoreError} for a name that is no digest, or a disk that does not read
   */
  async get(digest: string, memory?: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.#read(digest, () => false, memory))?.bytes
  }

  /**
   * The block for a peer that checks it: as {@link get}, but a file that was written or found whole a short while ago
   * and has not been touched since is not looked through again.
   *
   * @throws {StoreError} as {@link get}
   */
  async getToServe(digest: string): Promise<Uint8Array | undefined> {
    const begun = Date.now()
    const isTrusted = (writtenAt: number) => {
      const wholeAt = this.#trusted.get(digest)
      return wholeAt !== undefined && writtenAt <= wholeAt && begun - wholeAt < TRUST_MS
    }
    const read = await this.#read(digest, isTrusted)
    if (read?.isChecked) this.#trust(digest, begun)
    return read?.bytes
  }

  /** @param isTrusted whether a file last written at that time, milliseconds, need not be checked */
  async #read(
    digest: string,
    isTrusted: (writtenAt: number) => boolean,
    memory?: Uint8Array
  ): Promise<{ bytes: Uint8Array; isChecked: boolean } | undefined> {
    const path = this.#path(digest)
    let file: Awaited<ReturnType<typeof readAtMost>>
    try {
      file = await readAtMost(path, BLOCK_BYTES_MAX, memory)
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined
      throw storeError(`cannot read block ${digest}`, error)
    }
    if (file !== undefined && isTrusted(file.writtenAt)) return { bytes: file.bytes, isChecked: false }
    if (file !== undefined && sha256Hex(file.bytes) === digest) return { bytes: file.bytes, isChecked: true }
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
   * before {@link flush}: what is read is checked, so that nobody takes it for whole then. Long blocks are on their way
   * to the disk already, and where it does not keep up this waits for it.
   *
   * @param bytes free to be used again when this resolves
   * @throws {StoreError} when the bytes are too many, or the disk refuses
   */
  async putVerified(digest: string, bytes: Uint8Array): Promise<void> {
    if (bytes.length > BLOCK_BYTES_MAX)
      throw new StoreError(`a block of ${bytes.length} bytes is not stored; at most ${BLOCK_BYTES_MAX} are`)
    const path = this.#path(digest)
    while (this.#flushing.size >= FLUSHES_AHEAD_MAX) await Promise.race(this.#flushing)
    await writeFileWhole(path, bytes)
    this.#trust(digest, Date.now())
    if (bytes.length >= FLUSH_AHEAD_BYTES_MIN) this.#flushAhead(digest, path)
  }

  /** Resolves when these blocks are on the disk. @throws {StoreError} */
  async flush(digests: readonly string[]): Promise<void> {
    if (digests.length === 0) return
    try {
      const left: string[] = []
      for (const digest of digests) {
        const ahead = this.#ahead.get(digest)
        this.#ahead.delete(digest)
        if (ahead === undefined) left.push(digest)
        else await ahead
      }
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

  #flushAhead(digest: string, path: string): void {
    const synced = syncFile(path)
    const settled: Promise<void> = synced
      .catch(() => undefined)
      .finally(() => {
        this.#flushing.delete(settled)
      })
    this.#flushing.add(settled)
    rememberLast(this.#ahead, digest, synced)
  }

  #trust(digest: string, at: number): void {
    rememberLast(this.#trusted, digest, at)
  }

  /** Removes a block; nothing happens when it is not there. */
  async delete(digest: string): Promise<void> {
    this.#trusted.delete(digest)
    this.#ahead.delete(digest)
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

/** A file's bytes and when it was last written; undefined when it has more than `maximum`. */
async function readAtMost(
  path: string,
  maximum: number,
  memory: Uint8Array | undefined
): Promise<{ bytes: Uint8Array; writtenAt: number } | undefined> {
  const file = await open(path, 'r')
  try {
    const { size, mtimeMs } = await file.stat()
    if (size > maximum) return undefined
    const isRoom = memory !== undefined && memory.length >= size
    const bytes = isRoom ? memory : Buffer.allocUnsafeSlow(size)
    let filled = 0
    while (filled < size) {
      const { bytesRead } = await file.read(bytes, filled, size - filled, filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return { bytes: bytes.subarray(0, filled), writtenAt: mtimeMs }
  } finally {
    await file.close()
  }
}

/** Puts an entry last, and drops the first of too many. */
function rememberLast<T>(entries: Map<string, T>, key: string, value: T): void {
  entries.delete(key)
  entries.set(key, value)
  if (entries.size <= REMEMBERED_MAX) return
  const [first] = entries.keys()
  entries.delete(first!)
}

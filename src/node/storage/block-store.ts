import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BLOCK_BYTES_MAX } from '../../adapter/index.ts'
import { sha256Hex } from '../../formats/index.ts'
import type { Log } from '../log/log.ts'
import { syncFile, syncFolder, TEMPORARY_ENDING, writeFileWhole } from './atomic-file.ts'
import { errorCode, StoreError, storeError } from './store-error.ts'

/** The size of Node's thread pool. */
const FLUSHES_AT_ONCE = 4
/** Minimum length of blocks that are flushed while others still arrive; small ones are flushed together at the end. */
const FLUSH_AHEAD_BYTES_MIN = 64 * 1024
/** Maximum number of blocks queued for flushing. */
const FLUSHES_AHEAD_MAX = 2
/** How long a verified block is served without another check, milliseconds. */
const TRUST_MS = 10 * 60_000
/** Number of latest blocks remembered. */
const REMEMBERED_MAX = 16_384
const DIGEST_PATTERN = /^[0-9a-f]{64}$/

/** Shard blocks on disk, one file per block, named by its SHA-256. Every read checks the digest. */
export class BlockStore {
  readonly #folder: string
  readonly #log: Log
  /** Blocks that are being or have been flushed ahead of {@link flush}. */
  readonly #ahead = new Map<string, Promise<void>>()
  readonly #flushing = new Set<Promise<void>>()
  /** When a block was written by this process or last verified, milliseconds since 1970. */
  readonly #trusted = new Map<string, number>()

  private constructor(folder: string, log: Log) {
    this.#folder = folder
    this.#log = log
  }

  /**
   * Opens `<home>/blocks`, creates it if missing, and removes leftovers of interrupted writes. Only for the process
   * that owns the home, before it starts others, whose writes would look interrupted.
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

  /** Whether a file of that name exists; only {@link get} checks its contents. */
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
   * The block, or undefined if it is missing. A damaged block is logged, removed and counts as missing, so that it is
   * fetched again.
   *
   * @param memory destination of the block if it is large enough, otherwise new memory is allocated
   * @throws {StoreError} for a name that is not a digest, or a failing read
   */
  async get(digest: string, memory?: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.#read(digest, () => false, memory))?.bytes
  }

  /**
   * The block for a peer that checks it itself: like {@link get}, but a file that was recently written or verified and
   * not modified since is not checked again.
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

  /** @param isTrusted whether a file with this modification time, milliseconds, need not be checked */
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
    this.#log.warn({ digest, path }, 'a stored block is damaged; it was removed and will be fetched again')
    await this.delete(digest)
    return undefined
  }

  /**
   * Stores a block; resolves when it is durable. Storing an existing block changes nothing.
   *
   * @throws {StoreError} when the bytes do not have that digest or are too many, or a write fails
   */
  async put(digest: string, bytes: Uint8Array): Promise<void> {
    if (sha256Hex(bytes) !== digest)
      throw new StoreError(`block ${digest} does not have the bytes it is named after`)
    if ((await this.get(digest)) !== undefined) return
    await this.putVerified(digest, bytes)
    await this.flush([digest])
  }

  /**
   * Stores a block whose digest the caller has checked. It can be read at once, and may be lost or damaged if the power
   * fails before {@link flush}; reads are checked, so damage is detected. Long blocks start to be flushed at once, and
   * this waits if the disk does not keep up.
   *
   * @param bytes may be reused when this resolves
   * @throws {StoreError} when the bytes are too many, or a write fails
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

  /** Resolves when these blocks are durable. @throws {StoreError} */
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

  /** Removes a block if it exists. */
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
      throw new StoreError(
        `${JSON.stringify(digest.slice(0, 80))} is not a digest of 64 lowercase hex digits`
      )
    }
    return join(this.#folder, digest)
  }
}

/** A file's bytes and modification time; undefined if it has more than `maximum` bytes. */
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

/** Adds an entry at the end, and drops the oldest beyond the maximum. */
function rememberLast<T>(entries: Map<string, T>, key: string, value: T): void {
  entries.delete(key)
  entries.set(key, value)
  if (entries.size <= REMEMBERED_MAX) return
  const [first] = entries.keys()
  entries.delete(first!)
}

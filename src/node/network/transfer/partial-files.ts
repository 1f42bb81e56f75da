import { type FileHandle, open, rename, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type FileBlock, fileBlocks, type ListedFile, sha256Hex } from '../../../formats/index.ts'
import { storeError, syncFolder } from '../../storage/index.ts'
import { isMissing } from '../../storage/peer-error.ts'
import { readBytes } from './file-blocks.ts'

/** Ending of a file that lacks blocks. */
export const PARTIAL_ENDING = '.partial'

/** A file that is being filled. */
interface PartialFile {
  readonly path: string
  readonly handle: FileHandle
}

interface Place extends FileBlock {
  readonly file: PartialFile
}

/**
 * Files that are fetched block by block, each in `PATH.partial` until all are whole. Nothing is noted beside them: what an
 * earlier run has left is read, and the blocks that have their digest are held.
 */
export class PartialFiles {
  readonly #files: readonly PartialFile[]
  /** Where a block goes: equal blocks have several places. */
  readonly #places: ReadonlyMap<string, readonly Place[]>
  readonly #held = new Set<string>()

  private constructor(files: readonly PartialFile[], places: ReadonlyMap<string, readonly Place[]>) {
    this.#files = files
    this.#places = places
  }

  /**
   * Opens files in folders that are there; one that is there already under its own name is gone on with.
   *
   * @throws {StoreError}
   */
  static async open(listed: readonly ListedFile[], signal: AbortSignal): Promise<PartialFiles> {
    const files: PartialFile[] = []
    const places = new Map<string, Place[]>()
    try {
      for (const { path, bytes, list } of listed) {
        const file = { path, handle: await openPartial(path, bytes) }
        files.push(file)
        for (const block of fileBlocks(bytes, list)) {
          const place = { ...block, file }
          const known = places.get(block.digest)
          if (known === undefined) places.set(block.digest, [place])
          else known.push(place)
        }
      }
      const partial = new PartialFiles(files, places)
      await partial.#findHeld(signal)
      return partial
    } catch (error) {
      for (const { handle } of files) await handle.close()
      throw signal.aborted ? error : storeError('cannot open the files that are fetched', error)
    }
  }

  /** Every block once, with its length. */
  get blocks(): FileBlock[] {
    return [...this.#places.values()].map(([place]) => place!)
  }

  /** Blocks that are there, hex. */
  get held(): ReadonlySet<string> {
    return this.#held
  }

  async has(digest: string): Promise<boolean> {
    return this.#held.has(digest)
  }

  /** A block that is there, for a peer that checks it too. */
  async getToServe(digest: string): Promise<Uint8Array | undefined> {
    if (!this.#held.has(digest)) return undefined
    const [place] = this.#places.get(digest)!
    try {
      const bytes = await readBytes(place!.file.handle, place!.offset, place!.bytes)
      return sha256Hex(bytes) === digest ? bytes : undefined
    } catch {
      // Closed meanwhile: the file is whole, or given up.
      return undefined
    }
  }

  /**
   * Writes a block whose digest the caller has checked.
   *
   * @throws {StoreError} when the disk refuses; what was there stays
   */
  async putVerified(digest: string, bytes: Uint8Array): Promise<void> {
    for (const { file, offset } of this.#places.get(digest)!) {
      try {
        for (let written = 0; written < bytes.length; )
          written += (await file.handle.write(bytes, written, bytes.length - written, offset + written))
            .bytesWritten
      } catch (error) {
        throw storeError(`writing ${file.path}${PARTIAL_ENDING} (it is continued at the next start)`, error)
      }
    }
    this.#held.add(digest)
  }

  /** Puts what was written on the disk. @throws {StoreError} */
  async flush(): Promise<void> {
    try {
      for (const { handle } of this.#files) await handle.sync()
    } catch (error) {
      throw storeError('cannot write the fetched files to the disk', error)
    }
  }

  /** Gives the files their names: all blocks are there and flushed. @throws {StoreError} */
  async finish(): Promise<void> {
    await this.close()
    try {
      for (const { path } of this.#files) await rename(`${path}${PARTIAL_ENDING}`, path)
      for (const folder of new Set(this.#files.map(({ path }) => dirname(path)))) await syncFolder(folder)
    } catch (error) {
      throw storeError('cannot name the fetched files', error)
    }
  }

  async close(): Promise<void> {
    for (const { handle } of this.#files) await handle.close()
  }

  /** Looks which blocks are there. */
  async #findHeld(signal: AbortSignal): Promise<void> {
    // A hole in a file takes no room: one in which nothing was written yet need not be read.
    const empty = new Set<PartialFile>()
    for (const file of this.#files) if ((await file.handle.stat()).blocks === 0) empty.add(file)
    for (const [digest, places] of this.#places) {
      signal.throwIfAborted()
      if (await isHeld(digest, places, empty)) this.#held.add(digest)
    }
  }
}

async function isHeld(
  digest: string,
  places: readonly Place[],
  empty: ReadonlySet<PartialFile>
): Promise<boolean> {
  for (const { file, offset, bytes } of places) {
    if (empty.has(file)) return false
    if (sha256Hex(await readBytes(file.handle, offset, bytes)) !== digest) return false
  }
  return true
}

/** Opens `PATH.partial` in its full length, of which what was not written takes no room. */
async function openPartial(path: string, bytes: number): Promise<FileHandle> {
  const partial = `${path}${PARTIAL_ENDING}`
  await rename(path, partial).catch((error: unknown) => {
    if (!isMissing(error)) throw error
  })
  const handle = await open(partial, 'r+').catch((error: unknown) => {
    if (isMissing(error)) return open(partial, 'w+', 0o644)
    throw error
  })
  try {
    await handle.truncate(bytes)
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Bytes that the disk of a folder still takes. */
export async function roomOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

import { type FileHandle, open, rename, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type FileBlock, fileBlocks, type ListedFile, sha256Hex } from '../../../formats/index.ts'
import { storeError, syncFolder } from '../../storage/index.ts'
import { isMissing } from '../../storage/peer-error.ts'
import { readBytes } from './file-blocks.ts'

/** Extension of an incomplete file. */
export const PARTIAL_ENDING = '.partial'

/** A file being fetched. */
interface PartialFile {
  readonly path: string
  readonly handle: FileHandle
}

interface Place extends FileBlock {
  readonly file: PartialFile
}

/**
 * Files fetched block by block, each in `PATH.partial` until all are complete. No progress is stored beside them: what
 * an earlier run left is read, and blocks with the right digest count as held.
 */
export class PartialFiles {
  readonly #files: readonly PartialFile[]
  /** The places of a block; equal blocks have several. */
  readonly #places: ReadonlyMap<string, readonly Place[]>
  readonly #held = new Set<string>()

  private constructor(files: readonly PartialFile[], places: ReadonlyMap<string, readonly Place[]>) {
    this.#files = files
    this.#places = places
  }

  /**
   * Opens files in existing folders; a file that exists under its final name is continued.
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
      throw signal.aborted ? error : storeError('cannot open the files to be fetched', error)
    }
  }

  /** The distinct blocks, with their lengths. */
  get blocks(): FileBlock[] {
    return [...this.#places.values()].map(([place]) => place!)
  }

  /** Blocks that are present, hex. */
  get held(): ReadonlySet<string> {
    return this.#held
  }

  async has(digest: string): Promise<boolean> {
    return this.#held.has(digest)
  }

  /** A present block, for a peer that checks it too. */
  async getToServe(digest: string): Promise<Uint8Array | undefined> {
    if (!this.#held.has(digest)) return undefined
    const [place] = this.#places.get(digest)!
    try {
      const bytes = await readBytes(place!.file.handle, place!.offset, place!.bytes)
      return sha256Hex(bytes) === digest ? bytes : undefined
    } catch {
      // Closed meanwhile: the file is complete, or the fetch was aborted.
      return undefined
    }
  }

  /**
   * Writes a block whose digest the caller has checked.
   *
   * @throws {StoreError} when a write fails; earlier blocks are kept
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

  /** Flushes written blocks to the disk. @throws {StoreError} */
  async flush(): Promise<void> {
    try {
      for (const { handle } of this.#files) await handle.sync()
    } catch (error) {
      throw storeError('cannot write the fetched files to the disk', error)
    }
  }

  /** Renames the files: all blocks are present and flushed. @throws {StoreError} */
  async finish(): Promise<void> {
    await this.close()
    try {
      for (const { path } of this.#files) await rename(`${path}${PARTIAL_ENDING}`, path)
      for (const folder of new Set(this.#files.map(({ path }) => dirname(path)))) await syncFolder(folder)
    } catch (error) {
      throw storeError('cannot rename the fetched files', error)
    }
  }

  async close(): Promise<void> {
    for (const { handle } of this.#files) await handle.close()
  }

  /** Finds out which blocks are present. */
  async #findHeld(signal: AbortSignal): Promise<void> {
    // Holes of a sparse file take no space: a file without any data need not be read.
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

/** Opens `PATH.partial` in its full length as a sparse file. */
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

/** Free bytes on a folder's disk. */
export async function roomOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

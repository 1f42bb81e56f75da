import { existsSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import {
  blockListDigest,
  type FileBlock,
  fileBlocks,
  type ListedFile,
  sha256Hex
} from '../../../formats/index.ts'
import { hashCanonical } from '../../../protocol/encoding/canonical-cbor.ts'
import { hex } from '../../../protocol/index.ts'
import type { Log } from '../../storage/index.ts'
import { isMissing, messageOf } from '../../storage/peer-error.ts'

/** The place of a block. */
interface Place extends FileBlock {
  readonly path: string
}

/**
 * The announcement of a complete file; a block is announced by its digest itself.
 *
 * @param digest of the file's block list, hex
 */
export function wholeFileMark(digest: string): string {
  return hex(hashCanonical('whole-file', Buffer.from(digest, 'hex')))
}

/** Blocks served from files, each at its offset, so that they are not on disk twice. */
export class FileBlocks {
  readonly #places = new Map<string, Place>()
  /** Files by the digest of their block list, hex. */
  readonly #files = new Map<string, ListedFile>()
  /** Places found to hold other bytes. */
  readonly #damaged = new Set<Place>()
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  /**
   * Adds a complete file, replacing an earlier one at its path. Files that no longer exist, such as pruned models, are
   * dropped.
   *
   * @returns the digest of its block list, hex
   */
  add(file: ListedFile): string {
    const digest = hex(blockListDigest(file.list))
    for (const { path } of this.#files.values())
      if (path === file.path || !existsSync(path)) this.#remove(path)
    this.#files.set(digest, file)
    for (const block of fileBlocks(file.bytes, file.list))
      this.#places.set(block.digest, { ...block, path: file.path })
    return digest
  }

  /** The announcements of all files. */
  marks(): string[] {
    return [...this.#files.keys()].map(wholeFileMark)
  }

  /** A block of a file, or a file's block list; undefined if no file has it or it is damaged. */
  async getToServe(digest: string): Promise<Uint8Array | undefined> {
    const place = this.#places.get(digest)
    if (place === undefined) return this.#files.get(digest)?.list
    try {
      const bytes = await readPlace(place)
      if (sha256Hex(bytes) === digest) return bytes
      this.#tellDamage(place, 'the file has other bytes there')
    } catch (error) {
      if (isMissing(error)) this.#remove(place.path)
      else this.#tellDamage(place, messageOf(error))
    }
    return undefined
  }

  #remove(path: string): void {
    for (const [digest, place] of this.#places) if (place.path === path) this.#places.delete(digest)
    for (const [digest, file] of this.#files) if (file.path === path) this.#files.delete(digest)
  }

  #tellDamage(place: Place, error: string): void {
    if (this.#damaged.has(place)) return
    this.#damaged.add(place)
    const { path, offset, bytes } = place
    this.#log.error(
      { path, offset, bytes, error },
      'a served file is damaged: check the disk, and get the file again'
    )
  }
}

async function readPlace({ path, offset, bytes }: Place): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    return await readBytes(file, offset, bytes)
  } finally {
    await file.close()
  }
}

/** Up to `length` bytes of a file from an offset; fewer at its end. */
export async function readBytes(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

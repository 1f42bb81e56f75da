import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { requireRegularFile } from '../files/regular-file.ts'

/** Bytes in each block of a file except the last, which has the remainder. */
export const FILE_BLOCK_BYTES = 1024 * 1024
/** Bytes in a SHA-256 digest. */
const DIGEST_BYTES = 32
/** Largest file that has a block list, 32 GiB: the list itself then fits into one block. */
export const LISTED_FILE_BYTES_MAX = (FILE_BLOCK_BYTES / DIGEST_BYTES) * FILE_BLOCK_BYTES

/**
 * Computes the block list of a file from its bytes: the SHA-256 digests of its blocks of {@link FILE_BLOCK_BYTES},
 * concatenated.
 */
export class BlockListHash {
  readonly #digests: Uint8Array[] = []
  #block: Hash = createHash('sha256')
  #filled = 0
  #bytes = 0

  /** Bytes taken so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** Takes the next bytes of the file, in pieces of any length. */
  update(bytes: Uint8Array): void {
    for (let begin = 0; begin < bytes.length; ) {
      const piece = bytes.subarray(begin, begin + FILE_BLOCK_BYTES - this.#filled)
      this.#block.update(piece)
      begin += piece.length
      this.#filled += piece.length
      if (this.#filled === FILE_BLOCK_BYTES) this.#endBlock()
    }
    this.#bytes += bytes.length
  }

  /** The block list of all bytes so far; ends the last block. */
  list(): Uint8Array {
    if (this.#filled > 0) this.#endBlock()
    return Buffer.concat(this.#digests)
  }

  #endBlock(): void {
    this.#digests.push(this.#block.digest())
    this.#block = createHash('sha256')
    this.#filled = 0
  }
}

/** Length of the block list of a file of `bytes`. */
export function blockListBytes(bytes: number): number {
  return DIGEST_BYTES * Math.ceil(bytes / FILE_BLOCK_BYTES)
}

/** The digest that names a file by its blocks: SHA-256 of its block list. */
export function blockListDigest(list: Uint8Array): Uint8Array {
  return createHash('sha256').update(list).digest()
}

/** A block of a file: its digest in hex, and its byte range in the file. */
export interface FileBlock {
  readonly digest: string
  readonly offset: number
  readonly bytes: number
}

/** The blocks of a file of `bytes` in order, by its block list. */
export function fileBlocks(bytes: number, list: Uint8Array): FileBlock[] {
  const digits = Buffer.from(list.buffer, list.byteOffset, list.byteLength).toString('hex')
  return Array.from({ length: list.length / DIGEST_BYTES }, (_, index) => {
    const offset = index * FILE_BLOCK_BYTES
    return {
      digest: digits.slice(2 * DIGEST_BYTES * index, 2 * DIGEST_BYTES * (index + 1)),
      offset,
      bytes: Math.min(FILE_BLOCK_BYTES, bytes - offset)
    }
  })
}

/** A whole file, and the block list by which others identify it. */
export interface ListedFile {
  readonly path: string
  readonly bytes: number
  readonly list: Uint8Array
}

/** Length and block list of a file, read a piece at a time. */
export async function readBlockList(path: string): Promise<ListedFile> {
  requireRegularFile(path)
  const hash = new BlockListHash()
  for await (const chunk of createReadStream(path, { highWaterMark: FILE_BLOCK_BYTES }))
    hash.update(chunk as Uint8Array)
  return { path, bytes: hash.bytes, list: hash.list() }
}

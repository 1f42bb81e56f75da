import { createHash, type Hash } from 'node:crypto'
import { NetworkError } from '../requests/network-error.ts'
import type { BlockBuffers } from './block-buffers.ts'
import { HEADER_BYTES_MAX, PIECE_BYTES_MAX } from './constants.ts'
import { decodeBlockAnswer } from './messages.ts'

/** The answer for one digest. */
export type FetchedBlock =
  | { readonly digest: string; readonly status: 'found'; readonly bytes: Uint8Array }
  /** A block of `length` bytes in zstd, of which nothing is checked yet. */
  | {
      readonly digest: string
      readonly status: 'packed'
      readonly bytes: Uint8Array
      readonly length: number
    }
  | { readonly digest: string; readonly status: 'missing' }
  | { readonly digest: string; readonly status: 'busy'; readonly retryAfterMs: number }

/** Bits that three bytes of a length prefix hold: enough for the longest piece. */
const PREFIX_BITS_MAX = 21

/** A partially received block. */
interface Filling {
  readonly bytes: Uint8Array
  /** Hash of the block; undefined if it arrives compressed. */
  readonly hash: Hash | undefined
  /** Length of a compressed block after decompression, bytes. */
  readonly length: number
  filled: number
}

/**
 * Parses the answers to block requests from a stream's bytes, in chunks of any size. A block's bytes are copied once,
 * to their final place, and hashed while still in the processor's cache. Memory is bounded by what was requested: a
 * byte beyond the expected answers is an error.
 */
export class AnswerReader {
  readonly #buffers: BlockBuffers
  readonly #onBlockBytes: (bytes: number) => void
  readonly #mayBePacked: boolean
  readonly #awaited: string[] = []
  readonly #header = new Uint8Array(HEADER_BYTES_MAX)
  #headerLength = 0
  #frameLeft = 0
  #prefix = 0
  #prefixBits = 0
  #block: Filling | undefined
  #frames = 0

  /**
   * @param onBlockBytes called with the received bytes of each block, right or wrong
   * @param mayBePacked whether zstd was requested
   */
  constructor(
    buffers: BlockBuffers,
    onBlockBytes: (bytes: number) => void = () => undefined,
    mayBePacked = false
  ) {
    this.#buffers = buffers
    this.#mayBePacked = mayBePacked
    this.#onBlockBytes = onBlockBytes
  }

  /** Digests without an answer yet. */
  get awaited(): number {
    return this.#awaited.length
  }

  /** Complete frames received so far. */
  get frames(): number {
    return this.#frames
  }

  /** Expects further answers, after those already expected. */
  expect(digests: readonly string[]): void {
    this.#awaited.push(...digests)
  }

  /**
   * Consumes bytes of the stream. Found blocks have the requested digest; compressed ones are checked later.
   *
   * @returns the answers completed by them, in request order
   * @throws {NetworkError} `protocol` for anything but answers to the requests; the stream is then unusable
   */
  *push(chunks: Iterable<Uint8Array>): Generator<FetchedBlock> {
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) {
        if (this.#frameLeft === 0) {
          this.#readPrefix(chunk[at++]!)
          continue
        }
        const piece = chunk.subarray(at, at + this.#frameLeft)
        at += piece.length
        this.#frameLeft -= piece.length
        if (this.#block === undefined)
          this.#header.set(piece, this.#headerLength - this.#frameLeft - piece.length)
        else fill(this.#block, piece)
        if (this.#frameLeft > 0) continue
        this.#frames++
        const answer = this.#block === undefined ? this.#endHeader() : this.#endPiece(this.#block)
        if (answer !== undefined) yield answer
      }
    }
  }

  #readPrefix(byte: number): void {
    const digest = this.#awaited[0]
    if (digest === undefined) throw new NetworkError('protocol', 'more data than was requested')
    this.#prefix |= (byte & 0x7f) << this.#prefixBits
    this.#prefixBits += 7
    if (byte >= 0x80) {
      if (this.#prefixBits >= PREFIX_BITS_MAX) throw new NetworkError('protocol', 'a frame that is too long')
      return
    }
    const length = this.#prefix
    this.#prefix = 0
    this.#prefixBits = 0
    const block = this.#block
    const most =
      block === undefined ? HEADER_BYTES_MAX : Math.min(PIECE_BYTES_MAX, block.bytes.length - block.filled)
    if (length === 0 || length > most)
      throw new NetworkError(
        'protocol',
        block === undefined
          ? `an answer’s header of ${length} bytes`
          : `block ${digest} arrived in pieces of the wrong length`
      )
    this.#frameLeft = length
    if (block === undefined) this.#headerLength = length
  }

  #endHeader(): FetchedBlock | undefined {
    const answer = decodeBlockAnswer(this.#header.subarray(0, this.#headerLength))
    if (answer.status !== 'found') return { digest: this.#awaited.shift()!, ...answer }
    const { length, zstd } = answer
    if (zstd !== undefined && !this.#mayBePacked)
      throw new NetworkError('protocol', 'a block arrived in zstd, which was not requested')
    const hash = zstd === undefined ? createHash('sha256') : undefined
    this.#block = { bytes: this.#buffers.take(zstd ?? length), hash, length, filled: 0 }
    return length === 0 ? this.#endPiece(this.#block) : undefined
  }

  #endPiece({ bytes, hash, filled, length }: Filling): FetchedBlock | undefined {
    if (filled < bytes.length) return undefined
    this.#block = undefined
    this.#onBlockBytes(bytes.length)
    const digest = this.#awaited.shift()!
    if (hash === undefined) return { digest, status: 'packed', bytes, length }
    if (hash.digest('hex') !== digest)
      throw new NetworkError('protocol', `block ${digest} arrived with the wrong bytes`)
    return { digest, status: 'found', bytes }
  }
}

function fill(block: Filling, piece: Uint8Array): void {
  block.bytes.set(piece, block.filled)
  block.hash?.update(piece)
  block.filled += piece.length
}

import { sha256Hex } from '../../formats/digest/tensors-digest.ts'
import {
  decodeElements,
  ELEMENT_FORMAT_BYTES,
  type ElementFormat,
  encodeElements
} from '../../formats/elements/element-formats.ts'
import { float32View } from '../../formats/elements/little-endian.ts'
import { AdapterError } from '../pair/adapter-error.ts'
import { checkPair, isFinitePair } from '../pair/check-adapter.ts'
import type { LoraPair } from '../pair/lora-adapter.ts'
import { factorsFromInt8, int8ByteLength, int8FromFactors } from './int8-factors.ts'

/** Maximum length of a shard's block. */
export const BLOCK_BYTES_MAX = 1024 * 1024

/** Element formats of a shard on the wire. */
export const SHARD_DTYPES = ['f32', 'bf16', 'int8'] as const

/** Float32, bfloat16, or signed bytes with a step for every row of A and column of B. */
export type ShardDtype = (typeof SHARD_DTYPES)[number]

const FLOATS: Readonly<Record<Exclude<ShardDtype, 'int8'>, ElementFormat>> = { f32: 'F32', bf16: 'BF16' }

/** A manifest's description of one shard, without its block digests. */
export interface ShardDescription
  extends Pick<LoraPair, 'module' | 'rank' | 'alpha' | 'inFeatures' | 'outFeatures'> {
  readonly dtype: ShardDtype
}

/** A piece of a shard, sent separately. */
export interface ShardBlock {
  /** SHA-256, 64 lowercase hex digits. */
  readonly digest: string
  /** At most `BLOCK_BYTES_MAX`. May share memory with the pair it was cut from. */
  readonly bytes: Uint8Array
}

/** One module's pair on the wire: A then B, row-major little-endian, cut into blocks. */
export interface Shard extends ShardDescription {
  readonly byteLength: number
  readonly blocks: readonly ShardBlock[]
}

/**
 * Exact bytes of a shard: (rank × in + out × rank) elements, and the steps of int8.
 *
 * @throws {AdapterError} when a number is not a positive integer or the product exceeds the safe integers
 */
export function shardByteLength({
  module,
  rank,
  inFeatures,
  outFeatures,
  dtype
}: Omit<ShardDescription, 'alpha'>): number {
  for (const count of [rank, inFeatures, outFeatures]) {
    if (!Number.isSafeInteger(count) || count < 1)
      throw new AdapterError(`${module}: ${count} is not a positive integer`)
  }
  const length =
    dtype === 'int8'
      ? int8ByteLength({ rank, inFeatures, outFeatures })
      : rank * (inFeatures + outFeatures) * ELEMENT_FORMAT_BYTES[FLOATS[dtype]]
  if (!Number.isSafeInteger(length)) throw new AdapterError(`${module}: the shard is too large`)
  return length
}

/** The number of blocks for `byteLength` bytes, to check a manifest before any allocation. */
export function blockCount(byteLength: number): number {
  return Math.ceil(byteLength / BLOCK_BYTES_MAX)
}

/**
 * Lengths of the blocks into which `byteLength` bytes are cut: full blocks, then the remainder. One entry per block.
 */
export function blockLengths(byteLength: number): number[] {
  const full = Math.floor(byteLength / BLOCK_BYTES_MAX)
  const rest = byteLength - full * BLOCK_BYTES_MAX
  return [...new Array<number>(full).fill(BLOCK_BYTES_MAX), ...(rest > 0 ? [rest] : [])]
}

/**
 * Cuts a pair into the blocks that its manifest lists.
 *
 * @throws {AdapterError} for numbers that do not fit together, or an element that is not finite before or after
 * rounding
 */
export function shardFromPair(pair: LoraPair, dtype: ShardDtype = 'f32'): Shard {
  checkPair(pair)
  if (!isFinitePair(pair))
    throw new AdapterError(`${pair.module} contains NaN or infinity: it cannot be shared`)
  const { module, rank, alpha, inFeatures, outFeatures } = pair
  const description = { module, rank, alpha, inFeatures, outFeatures, dtype }
  const byteLength = shardByteLength(description)
  const bytes = dtype === 'int8' ? int8FromFactors(pair) : bytesOfFloats(pair, FLOATS[dtype])
  if (dtype === 'bf16' && !isFinitePair({ ...pair, ...factorsOfFloats(description, bytes, 'BF16') }))
    throw new AdapterError(`${module} contains elements that are too large for bf16`)
  let begin = 0
  const blocks = blockLengths(byteLength).map((length) => {
    const block = bytes.subarray(begin, begin + length)
    begin += length
    return { digest: sha256Hex(block), bytes: block }
  })
  return { ...description, byteLength, blocks }
}

/**
 * The pair whose shard was cut into `blocks`, in order. The caller must have checked each block against its digest.
 *
 * @throws {AdapterError} when the blocks' lengths do not fit the description, or an element is not finite
 */
export function pairFromBlocks(description: ShardDescription, blocks: readonly Uint8Array[]): LoraPair {
  const byteLength = shardByteLength(description)
  const given = blocks.reduce((length, block) => length + block.length, 0)
  if (given !== byteLength)
    throw new AdapterError(
      `${description.module}: the blocks have ${given} bytes in total, not ${byteLength}`
    )
  const bytes = new Uint8Array(byteLength)
  let offset = 0
  for (const block of blocks) {
    bytes.set(block, offset)
    offset += block.length
  }
  return pairFromBytes(description, bytes)
}

/**
 * The pair whose whole shard is `bytes`. An f32 pair shares their memory if the machine can read them as they are.
 *
 * @param bytes {@link shardByteLength} of them
 * @throws {AdapterError} when an element is not finite
 */
export function pairFromBytes(description: ShardDescription, bytes: Uint8Array): LoraPair {
  const { module, rank, alpha, inFeatures, outFeatures, dtype } = description
  const factors =
    dtype === 'int8'
      ? factorsFromInt8(description, bytes)
      : factorsOfFloats(description, bytes, FLOATS[dtype])
  const pair = { module, rank, alpha, inFeatures, outFeatures, ...factors }
  checkPair(pair)
  if (!isFinitePair(pair)) throw new AdapterError(`${module} contains NaN or infinity`)
  return pair
}

function bytesOfFloats({ A, B }: LoraPair, format: ElementFormat): Uint8Array {
  const bytes = new Uint8Array(ELEMENT_FORMAT_BYTES[format] * (A.length + B.length))
  bytes.set(encodeElements(A, format))
  bytes.set(encodeElements(B, format), ELEMENT_FORMAT_BYTES[format] * A.length)
  return bytes
}

function factorsOfFloats(
  { rank, inFeatures }: ShardDescription,
  bytes: Uint8Array,
  format: ElementFormat
): Pick<LoraPair, 'A' | 'B'> {
  const border = rank * inFeatures * ELEMENT_FORMAT_BYTES[format]
  const read = (part: Uint8Array) => (format === 'F32' ? float32View(part) : decodeElements(part, format))
  return { A: read(bytes.subarray(0, border)), B: read(bytes.subarray(border)) }
}

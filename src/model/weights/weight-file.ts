import { closeSync, existsSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import {
  ELEMENT_FORMAT_BYTES,
  type ElementFormat,
  isElementFormat,
  widenElements
} from '../../formats/elements/element-formats.ts'
import { float32FromBytes, HOST_IS_LITTLE_ENDIAN } from '../../formats/elements/little-endian.ts'
import { HEAD_BYTES, notTheFileItself } from '../../formats/files/not-the-file.ts'
import { requireRegularFile } from '../../formats/files/regular-file.ts'
import {
  parseSafetensorsHeader,
  type SafetensorsEntry,
  SafetensorsError
} from '../../formats/safetensors/header.ts'
import { type EncodeSafetensorsOptions, safetensorsChunks } from '../../formats/safetensors/safetensors.ts'
import type { TensorMap } from '../../formats/tensor.ts'

/** Bytes of the little-endian header length at the beginning of a safetensors file. */
const LENGTH_BYTES = 8
/** Bytes read at once when elements are converted; the only memory needed besides the tensors themselves. */
const PIECE_BYTES = 4 * 1024 * 1024
/** Longest single read: Node reads at most 2^31 − 1 bytes. */
const READ_BYTES_MAX = 1024 ** 3

/** One tensor of an open file. */
export interface FileTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly format: ElementFormat
  /** Its elements in float32. */
  read(): Float32Array
  /** Reads its elements into `target`, which must have the same length. */
  readInto(target: Float32Array): void
  /** Calls `use` with the elements piece by piece; the piece is overwritten by the next. */
  readPieces(use: (piece: Float32Array, start: number) => void): void
  /** Fills `target` with the elements from the `start`-th on. */
  readRange(target: Float32Array, start: number): void
}

/** The tensors of a safetensors file that stays open, by name. */
export interface WeightFile {
  readonly tensors: ReadonlyMap<string, FileTensor>
  close(): void
}

/**
 * Opens a safetensors file. Elements are read on demand, directly into their arrays: there is never a copy of the file
 * in memory.
 *
 * @returns tensors in the order of the data
 * @throws {SafetensorsError} when the file is damaged; a tensor that is neither F32 nor F16 nor BF16 throws when it is read
 */
export function openWeightFile(path: string): WeightFile {
  requireRegularFile(path)
  if (!existsSync(path))
    throw new SafetensorsError(`${path} is missing: download it, or copy it from the model's source`)
  const file = openSync(path, 'r')
  try {
    const tensors = readHeader(file, path).map(
      (entry) => [entry.name, fileTensor(file, path, entry)] as const
    )
    return { tensors: new Map(tensors), close: () => closeSync(file) }
  } catch (error) {
    closeSync(file)
    throw error
  }
}

/** Writes a safetensors file tensor by tensor. */
export function writeWeightFile(path: string, tensors: TensorMap, options: EncodeSafetensorsOptions): void {
  const file = openSync(path, 'w')
  try {
    for (const chunk of safetensorsChunks(tensors, options)) {
      for (let done = 0; done < chunk.length; )
        done += writeSync(file, chunk, done, Math.min(chunk.length - done, READ_BYTES_MAX))
    }
  } finally {
    closeSync(file)
  }
}

function readHeader(file: number, path: string): readonly SafetensorsEntry[] {
  const { size } = fstatSync(file)
  const standIn = notTheFileItself(readBytes(file, new Uint8Array(Math.min(HEAD_BYTES, size)), 0))
  if (standIn !== undefined) throw new SafetensorsError(`${path} ${standIn}`)
  try {
    return parseHeader(file, size)
  } catch (error) {
    if (error instanceof SafetensorsError) throw new SafetensorsError(`${path}: ${error.message}`)
    throw error
  }
}

function parseHeader(file: number, size: number): readonly SafetensorsEntry[] {
  const start = readBytes(file, new Uint8Array(Math.min(LENGTH_BYTES, size)), 0)
  const stated = start.length < LENGTH_BYTES ? 0n : new DataView(start.buffer).getBigUint64(0, true)
  const wanted = BigInt(LENGTH_BYTES) + stated
  // The parser refuses a length beyond the file or the limit from the first bytes alone.
  const head =
    wanted > BigInt(size) || wanted > BigInt(READ_BYTES_MAX) ? start : new Uint8Array(Number(wanted))
  return parseSafetensorsHeader(readBytes(file, head, 0), undefined, size).entries
}

function fileTensor(file: number, path: string, entry: SafetensorsEntry): FileTensor {
  const { name, shape, begin, end } = entry
  const format = entry.dtype
  if (!isElementFormat(format)) {
    const refuse = (): never => {
      throw new Error(`${path}: ${name} is ${format}; only F32, F16 and BF16 weights are supported`)
    }
    return {
      name,
      shape,
      format: 'F32',
      read: refuse,
      readInto: refuse,
      readPieces: refuse,
      readRange: refuse
    }
  }
  const size = ELEMENT_FORMAT_BYTES[format]
  const readPart = (from: number, to: number, use: (piece: Float32Array, start: number) => void): void => {
    const bytes = new Uint8Array(Math.min(PIECE_BYTES, to - from))
    const floats = new Float32Array(bytes.length / size)
    for (let position = from; position < to; position += bytes.length) {
      const part = readBytes(file, bytes.subarray(0, Math.min(bytes.length, to - position)), position)
      const piece = floats.subarray(0, part.length / size)
      if (format === 'F32') piece.set(float32FromBytes(part))
      else widenElements(part, format, piece)
      use(piece, (position - from) / size)
    }
  }
  const readRange = (target: Float32Array, start: number): void => {
    const from = begin + size * start
    const to = from + size * target.length
    if (to > end) throw new Error(`${path}: ${name} ends before element ${start + target.length}`)
    if (format === 'F32' && HOST_IS_LITTLE_ENDIAN)
      readBytes(file, new Uint8Array(target.buffer, target.byteOffset, target.byteLength), from)
    else readPart(from, to, (piece, at) => target.set(piece, at))
  }
  const readInto = (target: Float32Array): void => {
    if (target.length !== (end - begin) / size)
      throw new Error(`${path}: ${name} has ${(end - begin) / size} elements, not ${target.length}`)
    readRange(target, 0)
  }
  const read = (): Float32Array => {
    const data = new Float32Array((end - begin) / size)
    readInto(data)
    return data
  }
  return { name, shape, format, read, readInto, readPieces: (use) => readPart(begin, end, use), readRange }
}

function readBytes(file: number, target: Uint8Array, position: number): Uint8Array {
  for (let done = 0; done < target.length; ) {
    const length = Math.min(target.length - done, READ_BYTES_MAX)
    const read = readSync(file, target, done, length, position + done)
    if (read === 0) throw new Error('the file ended while being read')
    done += read
  }
  return target
}

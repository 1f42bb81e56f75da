/**
 * GGUF, the file format of llama.cpp (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3): typed
 * metadata and tensors in one little-endian file. Models and LoRA adapters share the container.
 *
 * @example
 * ```ts
 * const metadata = new Map<string, GgufValue>([
 *   ['general.architecture', { type: 'string', value: 'llama' }],
 *   ['llama.block_count', { type: 'uint32', value: 5 }]
 * ])
 * for (const chunk of ggufChunks({ metadata, tensors })) writeSync(file, chunk)
 * ```
 */

import { ELEMENT_FORMAT_BYTES, type ElementFormat, encodeElements } from '../elements/element-formats.ts'
import { FormatError } from '../format-error.ts'
import type { TensorMap } from '../tensor.ts'
import { createGgufWriter } from './writer.ts'

/** Scalar types of metadata by their number in the file. */
export const GGUF_TYPES = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12
} as const

type IntegerType = 'uint8' | 'int8' | 'uint16' | 'int16' | 'uint32' | 'int32' | 'uint64' | 'int64'
export type GgufNumberType = IntegerType | 'float32' | 'float64'

/** One value of a GGUF file's metadata. 64-bit integers are numbers; values beyond 2^53 are refused. */
export type GgufValue =
  | { readonly type: GgufNumberType; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'array'; readonly of: GgufNumberType; readonly value: readonly number[] }
  | { readonly type: 'array'; readonly of: 'bool'; readonly value: readonly boolean[] }
  | { readonly type: 'array'; readonly of: 'string'; readonly value: readonly string[] }

/** A GGUF file as values. */
export interface GgufFile {
  /** In the order of the file. */
  readonly metadata: ReadonlyMap<string, GgufValue>
  /** Shapes are outermost first, as everywhere in Loam; the file has them innermost first. */
  readonly tensors: TensorMap
}

/** How to write a GGUF file. */
export interface EncodeGgufOptions {
  /** Element format of a tensor; F32 by default. llama.cpp wants norms and biases in F32. */
  readonly format?: (name: string, shape: readonly number[]) => ElementFormat
}

/** The letters GGUF, little-endian. */
export const GGUF_MAGIC = 0x46554747
export const GGUF_VERSION = 3
/** Tensors begin at multiples of this many bytes, unless `general.alignment` says otherwise. */
export const GGUF_ALIGNMENT = 32
/** Element formats by ggml's number. */
export const GGML_FORMATS: Readonly<Record<ElementFormat, number>> = { F32: 0, F16: 1, BF16: 30 }
/** ggml's longest tensor name, without the terminating zero. */
const NAME_BYTES_MAX = 63

/**
 * Writes a GGUF file piece by piece, tensors in the order of the map. A chunk may share memory with its tensor.
 *
 * @throws {FormatError} when a tensor's shape does not fit its data or its name is too long for ggml, or a number does
 *   not fit its type
 */
export function* ggufChunks(
  { metadata, tensors }: GgufFile,
  { format = () => 'F32' }: EncodeGgufOptions = {}
): Generator<Uint8Array, void, undefined> {
  const writer = createGgufWriter()
  writer.number('uint32', GGUF_MAGIC)
  writer.number('uint32', GGUF_VERSION)
  writer.number('uint64', tensors.size)
  writer.number('uint64', metadata.size)
  for (const [key, value] of metadata) writer.entry(key, value)
  const formats: ElementFormat[] = []
  let offset = 0
  for (const [name, { shape, data }] of tensors) {
    if (shape.reduce((product, extent) => product * extent, 1) !== data.length)
      throw new FormatError(`tensor ${name}: shape [${shape}] does not fit ${data.length} elements`)
    if (Buffer.byteLength(name) > NAME_BYTES_MAX)
      throw new FormatError(`tensor ${name}: ggml allows names of at most ${NAME_BYTES_MAX} bytes`)
    const chosen = format(name, shape)
    formats.push(chosen)
    writer.string(name)
    writer.number('uint32', shape.length)
    for (const extent of shape.toReversed()) writer.number('uint64', extent)
    writer.number('uint32', GGML_FORMATS[chosen])
    writer.number('uint64', offset)
    offset += aligned(data.length * ELEMENT_FORMAT_BYTES[chosen])
  }
  const head = writer.bytes()
  yield head
  yield new Uint8Array(aligned(head.length) - head.length)
  let index = 0
  for (const { data } of tensors.values()) {
    const bytes = encodeElements(data, formats[index++]!)
    yield bytes
    yield new Uint8Array(aligned(bytes.length) - bytes.length)
  }
}

function aligned(length: number): number {
  return Math.ceil(length / GGUF_ALIGNMENT) * GGUF_ALIGNMENT
}

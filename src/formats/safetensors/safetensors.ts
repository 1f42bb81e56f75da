import { compareStrings } from '../compare-strings.ts'
import {
  decodeElements,
  type ElementFormat,
  encodeElements,
  isElementFormat
} from '../elements/element-formats.ts'
import type { Tensor, TensorMap } from '../tensor.ts'
import {
  DTYPE_BYTES,
  HEADER_BYTES_MAX,
  LENGTH_BYTES,
  METADATA_KEY,
  parseSafetensorsHeader,
  type SafetensorsEntry,
  SafetensorsError
} from './header.ts'

/** Floating-point formats that are converted from and to float32. */
export type SafetensorsDtype = ElementFormat

/** How to write a safetensors file. */
export interface EncodeSafetensorsOptions {
  /** Free-form strings for `__metadata__`; the key is written only if this is given. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Element format of all tensors, `F32` by default; the others round to nearest, ties to even. */
  readonly dtype?: SafetensorsDtype
}

/** How to read a safetensors file. */
export interface DecodeSafetensorsOptions {
  /** Longest accepted header; `HEADER_BYTES_MAX` by default. */
  readonly maxHeaderBytes?: number
  /** Which tensors to read, all by default; those left out may have any dtype. */
  readonly select?: (name: string) => boolean
}

/** A safetensors file as values. */
export interface DecodedSafetensors {
  /** In the order of the data. */
  readonly tensors: Map<string, Tensor>
  readonly metadata: Record<string, string>
}

/**
 * Writes the canonical safetensors file of `tensors`: little-endian, tensors laid out in key order, header JSON with
 * sorted keys and neither whitespace nor padding. Equal tensors give equal bytes, whatever the map's order. −0,
 * subnormals and (for F32) NaN payloads are kept.
 *
 * @throws {SafetensorsError} when a tensor's shape does not fit its data, or is named `__metadata__`
 */
export function encodeSafetensors(tensors: TensorMap, options: EncodeSafetensorsOptions = {}): Uint8Array {
  const chunks = [...safetensorsChunks(tensors, options)]
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}

/**
 * The bytes of {@link encodeSafetensors} piece by piece, for hashing or writing a large file without a second copy of
 * it in memory. A chunk may share memory with its tensor: use it before the tensor changes, and do not write to it.
 */
export function* safetensorsChunks(
  tensors: TensorMap,
  options: EncodeSafetensorsOptions = {}
): Generator<Uint8Array, void, undefined> {
  const dtype = options.dtype ?? 'F32'
  const names = [...tensors.keys()].sort(compareStrings)
  for (const name of names) checkLength(name, tensors.get(name)!)
  yield safetensorsHead(new Map(names.map((name) => [name, tensors.get(name)!.shape])), options)
  for (const name of names) yield encodeElements(tensors.get(name)!.data, dtype)
}

/**
 * The beginning of the canonical file: the header's length and the header. The elements of each tensor follow, in the
 * order of the tensors' names by UTF-16 code units.
 *
 * @param shapes by name
 * @throws {SafetensorsError} when a tensor is named `__metadata__`
 */
export function safetensorsHead(
  shapes: ReadonlyMap<string, readonly number[]>,
  { dtype = 'F32', metadata }: EncodeSafetensorsOptions = {}
): Uint8Array {
  return framedHeader(headerJson(shapes, () => dtype, metadata))
}

/**
 * What a file of 32-bit numbers begins with, like {@link safetensorsHead}.
 *
 * @param tensors shape and dtype by name
 */
export function safetensorsHead32(
  tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly dtype: 'F32' | 'I32' }>
): Uint8Array {
  const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]))
  return framedHeader(headerJson(shapes, (name) => tensors.get(name)!.dtype, undefined))
}

function framedHeader(json: string): Uint8Array {
  const header = new TextEncoder().encode(json)
  const bytes = new Uint8Array(LENGTH_BYTES + header.length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true)
  bytes.set(header, LENGTH_BYTES)
  return bytes
}

/**
 * Reads a safetensors file with F32, F16 and BF16 tensors into float32. The tensors are copies; memory use stays within
 * twice the file's size plus the header's.
 *
 * @throws {SafetensorsError} for anything that is not exactly a safetensors file of these dtypes
 */
export function decodeSafetensors(
  bytes: Uint8Array,
  options: DecodeSafetensorsOptions = {}
): DecodedSafetensors {
  const header = parseSafetensorsHeader(bytes, options.maxHeaderBytes ?? HEADER_BYTES_MAX)
  const tensors = new Map<string, Tensor>()
  for (const entry of header.entries) {
    if (options.select !== undefined && !options.select(entry.name)) continue
    tensors.set(entry.name, { shape: entry.shape, data: readElements(bytes, entry) })
  }
  return { tensors, metadata: { ...header.metadata } }
}

function checkLength(name: string, { shape, data }: Tensor): void {
  if (elementsOf(shape) !== data.length)
    throw new SafetensorsError(
      `tensor ${name}: shape [${shape.join(', ')}] does not fit ${data.length} elements`
    )
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1)
}

/** Assembled by hand: JSON.stringify would move keys that look like integers to the front. */
function headerJson(
  shapes: ReadonlyMap<string, readonly number[]>,
  dtypeOf: (name: string) => SafetensorsDtype | 'I32',
  metadata: Readonly<Record<string, string>> | undefined
): string {
  const fields = new Map<string, string>()
  let begin = 0
  for (const name of [...shapes.keys()].sort(compareStrings)) {
    const shape = shapes.get(name)!
    if (name === METADATA_KEY) throw new SafetensorsError(`a tensor cannot be named ${METADATA_KEY}`)
    const dtype = dtypeOf(name)
    const end = begin + elementsOf(shape) * DTYPE_BYTES.get(dtype)!
    fields.set(name, `{"data_offsets":[${begin},${end}],"dtype":"${dtype}","shape":[${shape.join(',')}]}`)
    begin = end
  }
  if (metadata !== undefined) {
    const texts = Object.entries(metadata).map(([key, text]) => [key, JSON.stringify(text)] as const)
    fields.set(METADATA_KEY, sortedObjectJson(texts))
  }
  return sortedObjectJson([...fields])
}

/** A JSON object from keys and values that are already JSON. */
function sortedObjectJson(fields: readonly (readonly [string, string])[]): string {
  const sorted = [...fields].sort(([a], [b]) => compareStrings(a, b))
  return `{${sorted.map(([key, json]) => `${JSON.stringify(key)}:${json}`).join(',')}}`
}

function readElements(bytes: Uint8Array, { name, dtype, begin, end }: SafetensorsEntry): Float32Array {
  if (!isElementFormat(dtype)) {
    throw new SafetensorsError(
      `tensor ${JSON.stringify(name.slice(0, 80))} is ${dtype}; only F32, F16 and BF16 are supported`
    )
  }
  return decodeElements(bytes.subarray(begin, end), dtype)
}

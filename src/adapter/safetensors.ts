import { compareStrings } from './compare-strings.ts'
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './half-floats.ts'
import {
  DTYPE_BYTES,
  HEADER_BYTES_MAX,
  LENGTH_BYTES,
  METADATA_KEY,
  parseSafetensorsHeader,
  type SafetensorsEntry,
  SafetensorsError
} from './safetensors-header.ts'
import type { Tensor, TensorMap } from './tensor.ts'

/** Floating-point formats that are read into and written from float32. */
export type SafetensorsDtype = 'F32' | 'F16' | 'BF16'

/** How to write a safetensors file. */
export interface EncodeSafetensorsOptions {
  /** Free strings for `__metadata__`; the key is written only when this is given. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Element format of all tensors, `F32` unless given; the others round to nearest, ties to even. */
  readonly dtype?: SafetensorsDtype
}

/** How to read a safetensors file. */
export interface DecodeSafetensorsOptions {
  /** Longest header accepted; `HEADER_BYTES_MAX` unless given. */
  readonly maxHeaderBytes?: number
  /** Which tensors to read (all unless given); those left out may have any dtype. */
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
  const dtype = options.dtype ?? 'F32'
  const names = [...tensors.keys()].sort(compareStrings)
  const fields = new Map<string, string>()
  let dataLength = 0
  for (const name of names) {
    const { shape, data } = tensors.get(name)!
    if (name === METADATA_KEY) throw new SafetensorsError(`a tensor cannot be named ${METADATA_KEY}`)
    if (shape.reduce((product, extent) => product * extent, 1) !== data.length) {
      throw new SafetensorsError(
        `tensor ${name}: shape [${shape.join(', ')}] does not fit ${data.length} elements`
      )
    }
    const end = dataLength + data.length * DTYPE_BYTES.get(dtype)!
    fields.set(
      name,
      `{"data_offsets":[${dataLength},${end}],"dtype":"${dtype}","shape":[${shape.join(',')}]}`
    )
    dataLength = end
  }
  if (options.metadata !== undefined) fields.set(METADATA_KEY, stringifySorted(options.metadata))
  // Put together by hand: JSON.stringify would move keys that look like integers to the front.
  const header = new TextEncoder().encode(
    `{${[...fields]
      .sort(([a], [b]) => compareStrings(a, b))
      .map(([name, json]) => `${JSON.stringify(name)}:${json}`)
      .join(',')}}`
  )
  const bytes = new Uint8Array(LENGTH_BYTES + header.length + dataLength)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true)
  bytes.set(header, LENGTH_BYTES)
  let offset = LENGTH_BYTES + header.length
  for (const name of names) offset += writeElements(bytes, offset, tensors.get(name)!.data, dtype)
  return bytes
}

/**
 * Reads a safetensors file with F32, F16 and BF16 tensors into float32. The tensors are copies; memory stays within
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

function stringifySorted(metadata: Readonly<Record<string, string>>): string {
  const entries = Object.entries(metadata).sort(([a], [b]) => compareStrings(a, b))
  return `{${entries.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`).join(',')}}`
}

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** Writes `data` at `offset` and returns the bytes written. */
function writeElements(
  target: Uint8Array,
  offset: number,
  data: Float32Array,
  dtype: SafetensorsDtype
): number {
  const length = data.length * DTYPE_BYTES.get(dtype)!
  if (dtype === 'F32' && HOST_IS_LITTLE_ENDIAN) {
    target.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset)
    return length
  }
  const view = new DataView(target.buffer, target.byteOffset + offset, length)
  if (dtype === 'F32') for (let i = 0; i < data.length; i++) view.setFloat32(4 * i, data[i]!, true)
  else {
    const convert = dtype === 'F16' ? float32ToFloat16 : float32ToBfloat16
    for (let i = 0; i < data.length; i++) view.setUint16(2 * i, convert(data[i]!), true)
  }
  return length
}

function readElements(bytes: Uint8Array, { name, dtype, begin, end }: SafetensorsEntry): Float32Array {
  if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') {
    throw new SafetensorsError(
      `tensor ${JSON.stringify(name.slice(0, 80))} is ${dtype}; only F32, F16 and BF16 are read`
    )
  }
  const data = new Float32Array((end - begin) / DTYPE_BYTES.get(dtype)!)
  if (dtype === 'F32' && HOST_IS_LITTLE_ENDIAN) {
    // A copy: the file's data need not be aligned to four bytes.
    new Uint8Array(data.buffer).set(bytes.subarray(begin, end))
    return data
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + begin, end - begin)
  if (dtype === 'F32') for (let i = 0; i < data.length; i++) data[i] = view.getFloat32(4 * i, true)
  else {
    const convert = dtype === 'F16' ? float16ToFloat32 : bfloat16ToFloat32
    for (let i = 0; i < data.length; i++) data[i] = convert(view.getUint16(2 * i, true))
  }
  return data
}

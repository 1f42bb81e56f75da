import {
  decodeElements,
  ELEMENT_FORMAT_BYTES,
  type ElementFormat
} from '../../src/formats/elements/element-formats.ts'
import { FormatError } from '../../src/formats/format-error.ts'
import {
  type EncodeGgufOptions,
  GGML_FORMATS,
  GGUF_ALIGNMENT,
  GGUF_MAGIC,
  GGUF_TYPES,
  GGUF_VERSION,
  type GgufFile,
  type GgufNumberType,
  type GgufValue,
  ggufChunks
} from '../../src/formats/gguf/gguf.ts'
import { ggufNumberBytes } from '../../src/formats/gguf/writer.ts'
import type { Tensor } from '../../src/formats/tensor.ts'

const TYPE_NAMES = new Map(Object.entries(GGUF_TYPES).map(([name, id]) => [id as number, name]))
const FORMAT_NAMES = new Map(Object.entries(GGML_FORMATS).map(([name, id]) => [id, name as ElementFormat]))
/** ggml's tensors have at most this many dimensions. */
const DIMENSIONS_MAX = 4

interface TensorInfo {
  readonly name: string
  readonly shape: readonly number[]
  readonly format: ElementFormat
  readonly offset: number
}

/** The whole file of {@link ggufChunks} in one array. */
export function encodeGguf(file: GgufFile, options: EncodeGgufOptions = {}): Uint8Array {
  return Buffer.concat([...ggufChunks(file, options)])
}

/**
 * Reads a GGUF file of version 3 with F32, F16 and BF16 tensors into float32. Nothing is allocated that the bytes do
 * not hold.
 *
 * @throws {FormatError} for anything else, saying what is wrong
 */
export function decodeGguf(bytes: Uint8Array): GgufFile {
  const reader = createReader(bytes)
  if (reader.number('uint32') !== GGUF_MAGIC) throw new FormatError('not a GGUF file')
  const version = reader.number('uint32')
  if (version !== GGUF_VERSION)
    throw new FormatError(`the GGUF file has version ${version}; only ${GGUF_VERSION} is read`)
  const tensorCount = reader.number('uint64')
  const entryCount = reader.number('uint64')
  const metadata = new Map<string, GgufValue>()
  for (let index = 0; index < entryCount; index++) {
    const key = reader.string()
    if (metadata.has(key)) throw new FormatError(`the GGUF file has the key ${quote(key)} twice`)
    metadata.set(key, reader.value())
  }
  const infos: TensorInfo[] = []
  for (let index = 0; index < tensorCount; index++) infos.push(readInfo(reader))
  const stated = metadata.get('general.alignment')
  const alignment = stated?.type === 'uint32' ? stated.value : GGUF_ALIGNMENT
  if (alignment === 0) throw new FormatError('general.alignment is 0')
  const start = Math.ceil(reader.position() / alignment) * alignment
  const tensors = new Map<string, Tensor>()
  for (const { name, shape, format, offset } of infos) {
    const begin = start + offset
    const end = begin + shape.reduce((product, extent) => product * extent, ELEMENT_FORMAT_BYTES[format])
    if (!(end <= bytes.length)) throw new FormatError(`tensor ${quote(name)} is outside the GGUF file`)
    if (tensors.has(name)) throw new FormatError(`the GGUF file has the tensor ${quote(name)} twice`)
    tensors.set(name, { shape, data: decodeElements(bytes.subarray(begin, end), format) })
  }
  return { metadata, tensors }
}

function readInfo(reader: Reader): TensorInfo {
  const name = reader.string()
  const dimensions = reader.number('uint32')
  if (dimensions > DIMENSIONS_MAX) throw new FormatError(`tensor ${quote(name)} has ${dimensions} dimensions`)
  const extents = Array.from({ length: dimensions }, () => reader.number('uint64'))
  const id = reader.number('uint32')
  const format = FORMAT_NAMES.get(id)
  if (format === undefined)
    throw new FormatError(`tensor ${quote(name)} has ggml type ${id}; only F32, F16 and BF16 are read`)
  return { name, shape: extents.reverse(), format, offset: reader.number('uint64') }
}

type Reader = ReturnType<typeof createReader>

function createReader(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let position = 0

  const take = (length: number): number => {
    const at = position
    if (!(at + length <= bytes.length)) throw new FormatError('the GGUF file is cut off')
    position += length
    return at
  }
  const number = (type: GgufNumberType): number => {
    const at = take(ggufNumberBytes(type))
    const value = readNumber(view, at, type)
    if ((type === 'uint64' || type === 'int64') && !Number.isSafeInteger(value))
      throw new FormatError(`the GGUF file holds ${value}, beyond exact integers`)
    return value
  }
  const string = (): string => {
    const length = number('uint64')
    const at = take(length)
    // Not fatal: byte-level tokenizers have tokens that are not valid UTF-8.
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(at, at + length))
  }
  const bool = (): boolean => number('uint8') !== 0
  const list = <Element>(count: number, bytesEach: number, read: () => Element): Element[] => {
    if (!(position + count * bytesEach <= bytes.length)) throw new FormatError('the GGUF file is cut off')
    return Array.from({ length: count }, read)
  }
  const value = (): GgufValue => {
    const type = typeName(number('uint32'))
    if (type === 'string') return { type, value: string() }
    if (type === 'bool') return { type, value: bool() }
    if (type !== 'array') return { type, value: number(type) }
    const of = typeName(number('uint32'))
    const count = number('uint64')
    if (of === 'string') return { type, of, value: list(count, 8, string) }
    if (of === 'bool') return { type, of, value: list(count, 1, bool) }
    if (of === 'array') throw new FormatError('arrays of arrays in GGUF files are not supported')
    return { type, of, value: list(count, ggufNumberBytes(of), () => number(of)) }
  }
  return { number, string, value, position: () => position }
}

function typeName(id: number): keyof typeof GGUF_TYPES {
  const name = TYPE_NAMES.get(id)
  if (name === undefined) throw new FormatError(`the GGUF file has metadata of the unknown type ${id}`)
  return name as keyof typeof GGUF_TYPES
}

function readNumber(view: DataView, at: number, type: GgufNumberType): number {
  switch (type) {
    case 'uint8':
      return view.getUint8(at)
    case 'int8':
      return view.getInt8(at)
    case 'uint16':
      return view.getUint16(at, true)
    case 'int16':
      return view.getInt16(at, true)
    case 'uint32':
      return view.getUint32(at, true)
    case 'int32':
      return view.getInt32(at, true)
    case 'float32':
      return view.getFloat32(at, true)
    case 'float64':
      return view.getFloat64(at, true)
    case 'uint64':
      return Number(view.getBigUint64(at, true))
    case 'int64':
      return Number(view.getBigInt64(at, true))
  }
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80))
}

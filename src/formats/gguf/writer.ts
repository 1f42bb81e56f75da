import { FormatError } from '../format-error.ts'
import { GGUF_TYPES, type GgufNumberType, type GgufValue } from './gguf.ts'

/** Writes the fields of a GGUF file's header one after another, little-endian. */
export interface GgufWriter {
  number(type: GgufNumberType, value: number): void
  string(text: string): void
  /** One key of the metadata with its typed value. */
  entry(key: string, value: GgufValue): void
  bytes(): Uint8Array
}

const BITS: Readonly<Record<GgufNumberType, number>> = {
  uint8: 8,
  int8: 8,
  uint16: 16,
  int16: 16,
  uint32: 32,
  int32: 32,
  uint64: 64,
  int64: 64,
  float32: 32,
  float64: 64
}

/** Size of a number of that type. */
export function ggufNumberBytes(type: GgufNumberType): number {
  return BITS[type] / 8
}

/** Creates an empty writer. */
export function createGgufWriter(): GgufWriter {
  const parts: Uint8Array[] = []

  const number = (type: GgufNumberType, value: number): void => {
    checkNumber(type, value)
    const bytes = Buffer.alloc(ggufNumberBytes(type))
    if (type === 'float32') bytes.writeFloatLE(value)
    else if (type === 'float64') bytes.writeDoubleLE(value)
    else if (type === 'uint64') bytes.writeBigUInt64LE(BigInt(value))
    else if (type === 'int64') bytes.writeBigInt64LE(BigInt(value))
    else if (type.startsWith('u')) bytes.writeUIntLE(value, 0, bytes.length)
    else bytes.writeIntLE(value, 0, bytes.length)
    parts.push(bytes)
  }
  const string = (text: string): void => {
    const bytes = Buffer.from(text)
    number('uint64', bytes.length)
    parts.push(bytes)
  }
  const scalar = (type: GgufNumberType | 'bool' | 'string', value: number | boolean | string): void => {
    if (typeof value === 'string') string(value)
    else if (typeof value === 'boolean') number('uint8', Number(value))
    else number(type as GgufNumberType, value)
  }
  const entry = (key: string, value: GgufValue): void => {
    string(key)
    number('uint32', GGUF_TYPES[value.type])
    if (value.type !== 'array') {
      scalar(value.type, value.value)
      return
    }
    number('uint32', GGUF_TYPES[value.of])
    number('uint64', value.value.length)
    for (const element of value.value) scalar(value.of, element)
  }
  return { number, string, entry, bytes: () => Buffer.concat(parts) }
}

function checkNumber(type: GgufNumberType, value: number): void {
  if (type === 'float32' || type === 'float64') return
  const bits = BITS[type]
  const [low, high] = type.startsWith('u') ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]
  if (!Number.isSafeInteger(value) || value < low || value > high)
    throw new FormatError(`${value} does not fit ${type}`)
}

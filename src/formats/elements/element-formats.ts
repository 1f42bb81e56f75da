import { float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './half-floats.ts'
import { float32Bytes, float32FromBytes, HOST_IS_LITTLE_ENDIAN } from './little-endian.ts'

/** Floating-point formats in files, converted from and to float32. */
export type ElementFormat = 'F32' | 'F16' | 'BF16'

/** Bytes of one element. */
export const ELEMENT_FORMAT_BYTES: Readonly<Record<ElementFormat, number>> = { F32: 4, F16: 2, BF16: 2 }

/** Whether `name` is a supported format. */
export function isElementFormat(name: string): name is ElementFormat {
  return name in ELEMENT_FORMAT_BYTES
}

/** Little-endian bytes of `data`, rounded to nearest with ties to even; for F32 they may share its memory. */
export function encodeElements(data: Float32Array, format: ElementFormat): Uint8Array {
  if (format === 'F32') return float32Bytes(data)
  const convert = format === 'F16' ? float32ToFloat16 : float32ToBfloat16
  const view = new DataView(new ArrayBuffer(2 * data.length))
  for (let i = 0; i < data.length; i++) view.setUint16(2 * i, convert(data[i]!), true)
  return new Uint8Array(view.buffer)
}

/** A copy of little-endian elements, which need not be aligned, in float32. */
export function decodeElements(bytes: Uint8Array, format: ElementFormat): Float32Array {
  if (format === 'F32') return float32FromBytes(bytes)
  const data = new Float32Array(bytes.length / 2)
  widenElements(bytes, format, data)
  return data
}

/** Writes the 16-bit elements of `bytes` into `target` as float32. */
export function widenElements(
  bytes: Uint8Array,
  format: Exclude<ElementFormat, 'F32'>,
  target: Float32Array
): void {
  const bits = littleEndianUint16(bytes)
  if (format === 'F16') {
    const table = float16Table()
    for (let i = 0; i < target.length; i++) target[i] = table[bits[i]!]!
    return
  }
  const words = new Uint32Array(target.buffer, target.byteOffset, target.length)
  for (let i = 0; i < words.length; i++) words[i] = bits[i]! << 16
}

function littleEndianUint16(bytes: Uint8Array): Uint16Array {
  if (HOST_IS_LITTLE_ENDIAN && bytes.byteOffset % 2 === 0)
    return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Uint16Array.from({ length: bytes.length / 2 }, (_, index) => view.getUint16(2 * index, true))
}

let float16Values: Float32Array | undefined

/** All binary16 values, indexed by their bits: reading a model takes hundreds of millions of look-ups. */
function float16Table(): Float32Array {
  float16Values ??= Float32Array.from({ length: 65_536 }, (_, bits) => float16ToFloat32(bits))
  return float16Values
}

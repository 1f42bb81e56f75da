import { float16ToFloat32 } from '../../formats/elements/half-floats.ts'
import type { Precision } from '../core/remote-row.ts'
import { IncompleteError, WireError } from './wire-error.ts'

/** Maximum length of a varint (53 bits), bytes. */
const VARINT_BYTES_MAX = 8

/**
 * Reads what a `ByteWriter` wrote. Memory is allocated only for bytes that have arrived.
 */
export interface ByteReader {
  /** Number of bytes read so far. */
  readonly offset: number
  byte(): number
  /** A view of the next bytes. */
  bytes(count: number): Uint8Array
  /** @throws {WireError} if it is above `most`, or not encoded in the shortest form */
  varint(most: number): number
  float32(): number
  float64(): number
  values(count: number, precision: Precision): Float32Array
  /** @throws {WireError} if an id is not below `size` */
  ascending(count: number, size: number): number[]
  /** @throws {WireError} if bytes are left over */
  end(): void
}

/** @throws {IncompleteError} from every method, if the bytes end too early */
export function createByteReader(bytes: Uint8Array): ByteReader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let offset = 0

  const take = (count: number): number => {
    if (count > bytes.length - offset) throw new IncompleteError(offset + count)
    const place = offset
    offset += count
    return place
  }
  const varint = (most: number): number => {
    let value = 0
    for (let index = 0; index < VARINT_BYTES_MAX; index++) {
      const byte = bytes[take(1)]!
      value += (byte & 0x7f) * 2 ** (7 * index)
      if (byte >= 0x80) continue
      if (byte === 0 && index > 0) throw new WireError('number is not in its shortest encoding')
      if (value > most) throw new WireError(`number ${value} exceeds the maximum ${most}`)
      return value
    }
    throw new WireError('unterminated number')
  }

  return {
    get offset() {
      return offset
    },
    byte: () => bytes[take(1)]!,
    bytes(count) {
      const place = take(count)
      return bytes.subarray(place, place + count)
    },
    varint,
    float32: () => view.getFloat32(take(4), true),
    float64: () => view.getFloat64(take(8), true),
    values(count, precision) {
      const width = precision === 'float16' ? 2 : 4
      const place = take(count * width)
      return Float32Array.from({ length: count }, (_, index) =>
        precision === 'float16'
          ? float16ToFloat32(view.getUint16(place + 2 * index, true))
          : view.getFloat32(place + 4 * index, true)
      )
    },
    ascending(count, size) {
      // Every id takes at least one byte.
      if (count > bytes.length - offset) throw new IncompleteError(offset + count)
      const ids: number[] = []
      let before = -1
      for (let index = 0; index < count; index++) {
        before += varint(size) + 1
        if (before >= size) throw new WireError(`id ${before} is outside the vocabulary of ${size}`)
        ids.push(before)
      }
      return ids
    },
    end() {
      if (offset < bytes.length) throw new WireError(`${bytes.length - offset} bytes follow the message`)
    }
  }
}

import { float32ToFloat16 } from '../../formats/elements/half-floats.ts'
import type { Precision } from '../core/remote-row.ts'

/** A growing byte buffer; all numbers are little-endian. */
export interface ByteWriter {
  byte(value: number): void
  bytes(values: Uint8Array): void
  /** Unsigned LEB128, of an integer up to 2^53 − 1. */
  varint(value: number): void
  float32(value: number): void
  float64(value: number): void
  /** Values in a row's precision. */
  values(values: Iterable<number>, precision: Precision): void
  /** Ascending ids without duplicates: the first, then the differences minus one, as varints. */
  ascending(ids: readonly number[]): void
  /** A copy of the bytes written. */
  done(): Uint8Array
}

export function createByteWriter(): ByteWriter {
  let buffer = new Uint8Array(256)
  let view = new DataView(buffer.buffer)
  let length = 0

  const room = (count: number): number => {
    const place = length
    length += count
    if (length > buffer.length) {
      const larger = new Uint8Array(Math.max(2 * buffer.length, length))
      larger.set(buffer)
      buffer = larger
      view = new DataView(buffer.buffer)
    }
    return place
  }
  const varint = (value: number): void => {
    let rest = value
    while (rest >= 0x80) {
      const place = room(1)
      buffer[place] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    const place = room(1)
    buffer[place] = rest
  }

  return {
    byte(value) {
      const place = room(1)
      buffer[place] = value
    },
    bytes(values) {
      const place = room(values.length)
      buffer.set(values, place)
    },
    varint,
    float32(value) {
      const place = room(4)
      view.setFloat32(place, value, true)
    },
    float64(value) {
      const place = room(8)
      view.setFloat64(place, value, true)
    },
    values(values, precision) {
      for (const value of values) {
        const place = room(precision === 'float16' ? 2 : 4)
        if (precision === 'float16') view.setUint16(place, float32ToFloat16(value), true)
        else view.setFloat32(place, value, true)
      }
    },
    ascending(ids) {
      let before = -1
      for (const id of ids) {
        varint(id - before - 1)
        before = id
      }
    },
    done: () => buffer.slice(0, length)
  }
}

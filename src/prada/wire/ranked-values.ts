import { float16ToFloat32, float32ToFloat16 } from '../../formats/elements/half-floats.ts'
import type { Precision } from '../core/remote-row.ts'
import type { BitReader, BitWriter } from './bits.ts'
import { WireError } from './wire-error.ts'

/** An id and its value relative to the highest. */
export interface RankedValue {
  readonly id: number
  readonly value: number
}

const words = new DataView(new ArrayBuffer(4))

/** Encodes a value from −∞ to 0 as an integer that grows as the value falls: the bits of its magnitude. */
export function depthOf(value: number, precision: Precision): number {
  if (!(value <= 0)) throw new RangeError(`a relative log-probability must be at most 0, got ${value}`)
  if (precision === 'float16') return float32ToFloat16(value) & 0x7fff
  words.setFloat32(0, value)
  return words.getUint32(0) & 0x7fffffff
}

function valueAt(depth: number, precision: Precision): number {
  // Values are never −0.
  if (precision === 'float16') return 0 - float16ToFloat32(depth)
  words.setUint32(0, depth)
  return 0 - words.getFloat32(0)
}

/** Depth of −∞, the maximum. */
function deepest(precision: Precision): number {
  return precision === 'float16' ? 0x7c00 : 0x7f800000
}

/** Number of bits of an id. */
function idBits(size: number): number {
  return Math.ceil(Math.log2(size))
}

/**
 * Writes ids and their values from the highest value down: each id in as many bits as the vocabulary needs, each value
 * as the number of steps of its precision below the previous one.
 *
 * @param from upper bound of the values, as a depth
 */
export function writeRanked(
  writer: BitWriter,
  entries: readonly RankedValue[],
  { size, precision, from }: { readonly size: number; readonly precision: Precision; readonly from: number }
): void {
  const ranked = entries.toSorted((a, b) => b.value - a.value || a.id - b.id)
  const depths = ranked.map(({ value }) => depthOf(value, precision))
  writer.rice(
    depths.map((depth, place) => depth - (depths[place - 1] ?? from)),
    (place) => writer.put(ranked[place]!.id, idBits(size))
  )
}

/** @throws {WireError} if an id is outside the vocabulary, or a value is NaN */
export function readRanked(
  reader: BitReader,
  count: number,
  { size, precision, from }: { readonly size: number; readonly precision: Precision; readonly from: number }
): { readonly ids: number[]; readonly values: number[]; readonly last: number } {
  const ids: number[] = []
  const steps = reader.rice(count, deepest(precision), () => {
    const id = reader.take(idBits(size))
    if (id >= size) throw new WireError(`id ${id} is outside the vocabulary of ${size}`)
    ids.push(id)
  })
  let depth = from
  const values = steps.map((step) => {
    depth += step
    if (depth > deepest(precision)) throw new WireError('a relative log-probability is below −∞')
    return valueAt(depth, precision)
  })
  return { ids, values, last: depth }
}

/** Writes the values, bounded by the depth `from`, of ids that the reader knows. */
export function writeValues(
  writer: BitWriter,
  values: readonly number[],
  precision: Precision,
  from: number
): void {
  writer.rice(values.map((value) => depthOf(value, precision) - from))
}

/** @throws {WireError} if a value is NaN */
export function readValues(reader: BitReader, count: number, precision: Precision, from: number): number[] {
  return reader.rice(count, deepest(precision) - from).map((step) => valueAt(from + step, precision))
}

import { compare } from 'uint8arrays/compare'
import { equals } from 'uint8arrays/equals'

export { compare as compareBytes, equals as equalBytes }

/** Lowercase hex of `bytes`: the form of ids as map keys and in output. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** Whether two optional digests are equal. */
export function sameDigest(left: Uint8Array | null, right: Uint8Array | null): boolean {
  return left === right || (left !== null && right !== null && equals(left, right))
}

/** A bitmap of `size` bits with the given bits set; bit i is bit (i mod 8) of byte ⌊i/8⌋. */
export function bitmapOf(size: number, set: Iterable<number>): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(size / 8))
  for (const index of set) bitmap[index >> 3]! |= 1 << (index & 7)
  return bitmap
}

/** Whether bit `index` is set; bits beyond the bitmap are unset. */
export function hasBit(bitmap: Uint8Array, index: number): boolean {
  return ((bitmap[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
}

/** Indices of the set bits, ascending. */
export function bitsOf(bitmap: Uint8Array): number[] {
  const indices: number[] = []
  for (let index = 0; index < bitmap.length * 8; index++) if (hasBit(bitmap, index)) indices.push(index)
  return indices
}

import type { QuantisedBits } from '../graph/index.ts'

/** Elements that share a scale, if rows can be divided that way. */
const BLOCKS = [64, 32, 16, 8] as const

/** Length of the blocks into which rows of `columns` elements are divided; undefined if no length is possible. */
export function blockSize(columns: number): number | undefined {
  return BLOCKS.find((block) => columns % block === 0)
}

/** Takes elements piece by piece and stores them quantised. */
export interface Quantiser {
  /** Packed in the layout of the operator Dequantise. */
  readonly packed: Uint8Array
  readonly scales: Float32Array
  /** Quantises whole blocks from element `start` on. */
  put(piece: Float32Array, start: number): void
}

/**
 * Symmetric quantisation by blocks: x ≈ scale · (q − 2^(bits−1)) with integer q. The element of largest magnitude gets
 * the lowest q, so that it is restored exactly up to rounding.
 */
export function createQuantiser(elements: number, bits: QuantisedBits, block: number): Quantiser {
  const packed = new Uint8Array((elements * bits) / 8)
  const scales = new Float32Array(elements / block)
  const centre = 2 ** (bits - 1)
  const put = (piece: Float32Array, start: number): void => {
    for (let first = 0; first < piece.length; first += block) {
      let extreme = 0
      for (let index = first; index < first + block; index++) {
        const value = piece[index]!
        if (Math.abs(value) > Math.abs(extreme)) extreme = value
      }
      const scale = Math.fround(-extreme / centre)
      scales[(start + first) / block] = scale
      const inverse = scale === 0 ? 0 : 1 / scale
      for (let index = first; index < first + block; index++) {
        const q = Math.min(2 * centre - 1, Math.round(piece[index]! * inverse) + centre)
        const place = start + index
        if (bits === 8) packed[place] = q
        else packed[place >>> 1]! |= place % 2 === 0 ? q : q << 4
      }
    }
  }
  return { packed, scales, put }
}

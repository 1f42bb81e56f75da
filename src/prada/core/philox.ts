/** Multipliers and key increments of Philox4x32 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). */
const MULTIPLIER_0 = 0xd2511f53
const MULTIPLIER_1 = 0xcd9e8d57
const WEYL_0 = 0x9e3779b9
const WEYL_1 = 0xbb67ae85
const ROUNDS = 10

/** Four words of 32 bits. */
export type Words4 = readonly [number, number, number, number]

/**
 * Philox4x32-10: a bijection of 128-bit counters for each 64-bit key. Its outputs for different counters pass all known
 * statistical tests of independence. It is stateless, so the words at any counter can be computed without the earlier
 * ones.
 *
 * @param counter four words of 32 bits
 * @param key two words of 32 bits
 * @returns four words, each from 0 to 2^32 − 1
 */
export function philox(counter: Words4, key: readonly [number, number]): Words4 {
  let [a, b, c, d] = counter
  let [k0, k1] = key
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, a)
    const low0 = Math.imul(MULTIPLIER_0, a)
    const high1 = multiplyHigh(MULTIPLIER_1, c)
    const low1 = Math.imul(MULTIPLIER_1, c)
    a = high1 ^ b ^ k0
    b = low1
    c = high0 ^ d ^ k1
    d = low0
    k0 = (k0 + WEYL_0) | 0
    k1 = (k1 + WEYL_1) | 0
  }
  return [a >>> 0, b >>> 0, c >>> 0, d >>> 0]
}

/** The upper 32 bits of the product of two 32-bit words. */
function multiplyHigh(x: number, y: number): number {
  const [x0, x1, y0, y1] = [x & 0xffff, x >>> 16, y & 0xffff, y >>> 16]
  const low = x0 * y0
  const middle = x1 * y0 + (low >>> 16)
  const carry = (middle & 0xffff) + x0 * y1
  return x1 * y1 + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)
}

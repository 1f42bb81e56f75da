/** A seeded source of random numbers: equal seeds give equal numbers on every machine. */
export interface SeededRandom {
  /** An integer in [0, 2^32). */
  nextUint32(): number
  /** Uniform in [0, 1), in steps of 2^-32. */
  uniform(): number
  /** Normal with mean 0 and deviation 1. */
  normal(): number
}

/**
 * xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018), its state mixed
 * from the seed by a Weyl counter and a 32-bit finaliser. Normal numbers by Marsaglia's polar method.
 *
 * @param seed an integer from 0 to 2^53 − 1, or bytes, all of which are used
 */
export function createSeededRandom(seed: number | Uint8Array): SeededRandom {
  const state = new Uint32Array(4)
  const words = typeof seed === 'number' ? [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0] : bytesToWords(seed)
  let mixed = 0
  for (const [index, word] of words.entries()) {
    mixed = (mixed ^ word) >>> 0
    for (let slot = 0; slot < 4; slot++) {
      mixed = (mixed + 0x9e3779b9) >>> 0
      state[slot] = state[slot]! ^ scramble(mixed ^ index)
    }
  }
  const nextUint32 = xoshiro128StarStar(state)
  let spare: number | undefined

  const uniform = (): number => nextUint32() / 2 ** 32
  const normal = (): number => {
    if (spare !== undefined) {
      const value = spare
      spare = undefined
      return value
    }
    for (;;) {
      const u = 2 * uniform() - 1
      const v = 2 * uniform() - 1
      const s = u * u + v * v
      if (s >= 1 || s === 0) continue
      const factor = Math.sqrt((-2 * Math.log(s)) / s)
      spare = v * factor
      return u * factor
    }
  }
  return { nextUint32, uniform, normal }
}

/**
 * The bare generator: each call advances four words of state, not all zero, in place and returns the next 32-bit
 * number.
 */
export function xoshiro128StarStar(state: Uint32Array): () => number {
  if (state.every((word) => word === 0)) state[0] = 1
  return () => {
    const a = state[0]!
    const b = state[1]!
    const c = state[2]!
    const d = state[3]!
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const mixedC = c ^ a
    const mixedD = d ^ b
    state[0] = a ^ mixedD
    state[1] = b ^ mixedC
    state[2] = mixedC ^ (b << 9)
    state[3] = rotate(mixedD, 11)
    return result
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}

function scramble(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

/** The second word differs from the high half of every safe integer. */
function bytesToWords(bytes: Uint8Array): number[] {
  const words: number[] = [bytes.length, 0xffffffff]
  for (let at = 0; at < bytes.length; at += 4) {
    words.push(
      ((bytes[at] ?? 0) |
        ((bytes[at + 1] ?? 0) << 8) |
        ((bytes[at + 2] ?? 0) << 16) |
        ((bytes[at + 3] ?? 0) << 24)) >>>
        0
    )
  }
  return words
}

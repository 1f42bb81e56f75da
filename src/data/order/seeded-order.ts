/** 2^32 divided by the golden ratio, odd: the step of a Weyl sequence that visits every 32-bit state. */
const WEYL_STEP = 0x9e3779b9

/**
 * A source of uniform 32-bit unsigned integers that depends on `seed` alone (splitmix32: a Weyl counter through a
 * 32-bit finaliser). Integers only, hence the same sequence on every platform. Not for secrets.
 *
 * @param seed any integer; only its lowest 32 bits are used
 */
export function seededIntegers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + WEYL_STEP) >>> 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
}

/**
 * A permutation of 0..`length`−1 that depends on `seed` alone (Fisher–Yates). Draws that would favour low numbers are
 * rejected, so that every permutation the generator can reach is equally likely.
 *
 * @param length at most 2^32 − 1
 */
export function seededPermutation(length: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length }, (_, index) => index)
  const next = seededIntegers(seed)
  for (let last = length - 1; last > 0; last--) {
    const choices = last + 1
    const fairLimit = 2 ** 32 - (2 ** 32 % choices)
    let draw = next()
    while (draw >= fairLimit) draw = next()
    const chosen = draw % choices
    const kept = order[last]!
    order[last] = order[chosen]!
    order[chosen] = kept
  }
  return order
}

/** `items` in a seeded order, as a new array. */
export function seededShuffle<T>(items: readonly T[], seed: number): T[] {
  return Array.from(seededPermutation(items.length, seed), (index) => items[index]!)
}

/** Mixes two integers into one 32-bit seed, so that the streams of a run (epochs, documents) differ. */
export function combineSeeds(seed: number, stream: number): number {
  return seededIntegers(seededIntegers(seed)() ^ Math.imul(stream + 1, WEYL_STEP))()
}

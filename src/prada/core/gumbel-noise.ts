import { philox } from './philox.ts'

/** The noise of one position: always the same number for the same id, on every machine. */
export type Noise = (id: number) => number

/** Upper bound of the noise: −log(−log(1 − 2^−53)), rounded up. */
export const NOISE_MAX = 36.74

/** Counter domain, so that other uses of the same seed get different words. */
const DOMAIN = 0x70726164

/**
 * Standard Gumbel noise G(seed, position, id) from a counter-based generator. argmax over x of log p(x) + G(x) is a
 * sample from p, and everyone who knows the seed gets the same sample from the same p (Gumbel-max; arXiv 2408.07978,
 * section 3). Uniforms have 52 bits and lie strictly between 0 and 1.
 *
 * @param seed integer from 0 to 2^53 − 1
 * @param position zero-based index of the sampled token
 * @param stream index among several texts with the same seed
 */
export function gumbelNoise(seed: number, position: number, stream = 0): Noise {
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0] as const
  let block = -1
  let words = philox([0, position, stream, DOMAIN], key)
  return (id) => {
    const wanted = id >>> 1
    if (wanted !== block) {
      block = wanted
      words = philox([block, position, stream, DOMAIN], key)
    }
    const [high, low] = id & 1 ? [words[2], words[3]] : [words[0], words[1]]
    const uniform = (high * 2 ** 20 + (low >>> 12) + 0.5) * 2 ** -52
    return -Math.log(-Math.log(uniform))
  }
}

/** Zero noise, for greedy decoding. */
export const NO_NOISE: Noise = () => 0

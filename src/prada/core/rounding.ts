import { type Precision, remoteRow } from './remote-row.ts'

/** How far the rounding of sent values shifts a distribution. */
export interface RoundingDeviation {
  /** Largest error of a log-probability relative to the highest, nats. */
  readonly epsilon: number
  /** Total variation distance between the rounded distribution and the exact one; at most tanh(epsilon / 2). */
  readonly totalVariation: number
}

/**
 * The deviation of one row. If the logarithm of every ratio of two probabilities moves by at most 2ε, which holds if
 * every score moves by at most ε, the total variation distance is at most tanh(ε / 2).
 *
 * @param logits finite or −∞, [at least size]
 */
export function roundingDeviation(
  logits: Float32Array,
  size: number,
  precision: Precision
): RoundingDeviation {
  const row = remoteRow(logits, size, precision)
  const highest = logits.subarray(0, size).reduce((most, value) => Math.max(most, value))
  let epsilon = 0
  let [exactSum, roundedSum] = [0, 0]
  for (let id = 0; id < size; id++) {
    const exact = logits[id]! - highest
    if (exact > Number.NEGATIVE_INFINITY && row[id]! > Number.NEGATIVE_INFINITY)
      epsilon = Math.max(epsilon, Math.abs(exact - row[id]!))
    exactSum += Math.exp(exact)
    roundedSum += Math.exp(row[id]!)
  }
  let distance = 0
  for (let id = 0; id < size; id++)
    distance += Math.abs(Math.exp(logits[id]! - highest) / exactSum - Math.exp(row[id]!) / roundedSum)
  return { epsilon, totalVariation: distance / 2 }
}

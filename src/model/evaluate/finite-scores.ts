import { overflow } from '../executor/overflow.ts'

/**
 * Refuses log-probabilities that contain NaN or infinity: a mean or comparison with them would be meaningless.
 *
 * @param scores of the second to the last token of each sequence, as `SequenceScorer` gives them
 * @param nameOf describes a sequence, for the message
 * @throws {Error} naming the sequence and the token
 */
export function requireFiniteScores(
  scores: readonly Float32Array[],
  nameOf: (sequence: number) => string
): void {
  for (const [sequence, values] of scores.entries()) {
    const at = values.findIndex((value) => !Number.isFinite(value))
    if (at >= 0)
      throw overflow(`the log-probability of token ${at + 2} of ${nameOf(sequence)} is ${values[at]}`)
  }
}

/**
 * Rule 15 *Bounds*: whether the blocks of a sealed round must still be served in a later round.
 *
 * @param retain the charter's number of rounds after the seal
 */
export function isRetained(sealedRound: number, round: number, retain: number): boolean {
  return sealedRound >= round - retain
}

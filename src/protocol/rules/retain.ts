/**
 * Rule 15 *Bounds*: whether the blocks of a sealed round are still owed to others in a later round.
 *
 * @param retain the charter's number of rounds after the seal
 */
export function isRetained(sealedRound: number, round: number, retain: number): boolean {
  return sealedRound >= round - retain
}

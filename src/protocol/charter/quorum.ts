/**
 * Most members that may behave arbitrarily, f = ⌊(n−1)/3⌋.
 *
 * @param members number of members n, at least 1
 */
export function maximumFaulty(members: number): number {
  return Math.floor((members - 1) / 3)
}

/**
 * Number of members whose agreement is binding, q = ⌊(n+f)/2⌋ + 1. For every n: q ≤ n − f, 2q − n > f and q ≥ f + 1
 * (`docs/spec/words.md`, Quorums).
 */
export function quorumSize(members: number): number {
  return Math.floor((members + maximumFaulty(members)) / 2) + 1
}

/** Describes which faults a consortium of this size tolerates, for the author of a charter. */
export function describeResilience(members: number): string {
  if (members <= 2)
    return `${members} member(s): survives no crash; every member must take part in every round`
  if (members === 3) return '3 members: survives one crashed member, but no Byzantine one'
  const faulty = maximumFaulty(members)
  return `${members} members: survives ${faulty} Byzantine member(s); ${quorumSize(members)} must agree`
}

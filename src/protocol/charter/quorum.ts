/**
 * Most members that may behave arbitrarily, f = ⌊(n−1)/3⌋.
 *
 * @param members number of members n, at least 1
 */
export function maximumFaulty(members: number): number {
  return Math.floor((members - 1) / 3)
}

/**
 * Members whose agreement is binding, q = ⌊(n+f)/2⌋ + 1. For every n: q ≤ n − f, 2q − n > f and q ≥ f + 1
 * (`docs/protocol.md`, Quorums).
 */
export function quorumSize(members: number): number {
  return Math.floor((members + maximumFaulty(members)) / 2) + 1
}

/** Which faults a consortium of this size tolerates, for the person who writes a charter. */
export function describeResilience(members: number): string {
  if (members <= 2)
    return `${members} member(s): survives no crash; every member must be there in every round`
  if (members === 3) return '3 members: survives one crashed member, but no lying one'
  const faulty = maximumFaulty(members)
  return `${members} members: survives ${faulty} arbitrarily faulty member(s); ${quorumSize(members)} must agree`
}

import { maximumFaulty } from './quorum.ts'

/** The assumptions of a charter about a committee smaller than its membership. */
export interface CommitteeTerms {
  readonly size: number
  /** Assumed faulty fraction of all members. */
  readonly assumedFaulty: number
  /** Maximum probability of a bad committee over all `rounds`. */
  readonly epsilon: number
  readonly rounds: number
}

/** C(n, k), exactly. */
function choose(n: number, k: number): bigint {
  if (k < 0 || k > n) return 0n
  let product = 1n
  for (let index = 1; index <= Math.min(k, n - k); index++)
    product = (product * BigInt(n - index + 1)) / BigInt(index)
  return product
}

/**
 * The number of ways to draw a committee with more than f faulty members, and of all draws: the upper tail of the
 * hypergeometric distribution.
 */
function badDraws(members: number, faulty: number, committee: number): { bad: bigint; all: bigint } {
  let bad = 0n
  for (let drawn = maximumFaulty(committee) + 1; drawn <= Math.min(faulty, committee); drawn++)
    bad += choose(faulty, drawn) * choose(members - faulty, committee - drawn)
  return { bad, all: choose(members, committee) }
}

/** Digits of a fraction that are kept when exact integers are converted to a number. */
const SCALE = 10n ** 30n

/** Number of members that a charter assumes faulty: its fraction of all, rounded up. */
function assumedFaulty(members: number, { assumedFaulty: fraction }: CommitteeTerms): number {
  return Math.min(members, Math.ceil(members * fraction))
}

/**
 * Probability that a committee drawn for one round contains more faulty members than it tolerates.
 *
 * @param members number of all members
 */
export function committeeFailure(members: number, terms: CommitteeTerms): number {
  const { bad, all } = badDraws(members, assumedFaulty(members, terms), Math.min(terms.size, members))
  return Number((bad * SCALE) / all) / Number(SCALE)
}

/**
 * Whether a committee satisfies its charter: by the union bound, the probability of a bad committee over all rounds is
 * at most ε. Computed in exact integers, so that every machine agrees.
 */
export function isCommitteeSafe(members: number, terms: CommitteeTerms): boolean {
  const { bad, all } = badDraws(members, assumedFaulty(members, terms), Math.min(terms.size, members))
  const epsilon = BigInt(Math.floor(terms.epsilon * 2 ** 52))
  return bad * BigInt(terms.rounds) * 2n ** 52n <= epsilon * all
}

/** Describes what a committee guarantees, for the author of a charter. */
export function describeCommittee(members: number, terms: CommitteeTerms): string {
  const probability = committeeFailure(members, terms)
  return (
    `committees of ${terms.size} from ${members} members, ${assumedFaulty(members, terms)} of them assumed faulty: ` +
    `one contains more than ${maximumFaulty(terms.size)} of these with probability ${probability.toExponential(2)}, ` +
    `in ${terms.rounds} rounds at most ${(probability * terms.rounds).toExponential(2)}`
  )
}

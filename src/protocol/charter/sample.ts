import { hex } from '../encoding/bytes.ts'
import { hashCanonical } from '../encoding/canonical-cbor.ts'
import type { Charter } from './charter.ts'
import { maximumFaulty } from './quorum.ts'

/**
 * Rule 13 *Sample*: `count` of the indices 0 … n − 1, drawn by the round's seed without repetition, ascending; all of
 * them where count is 0 or at least n. A partial shuffle: the i-th draw takes H(domain, {seed, draw: i}), read big-endian,
 * modulo what is left.
 */
export function drawMembers(
  domain: 'trainers' | 'committee',
  seed: Uint8Array,
  members: number,
  count: number
): number[] {
  const indices = Array.from({ length: members }, (_, index) => index)
  if (count === 0 || count >= members) return indices
  for (let draw = 0; draw < count; draw++) {
    const number = BigInt(`0x${hex(hashCanonical(domain, { seed, draw }))}`)
    const taken = draw + Number(number % BigInt(members - draw))
    const drawn = indices[taken]!
    indices[taken] = indices[draw]!
    indices[draw] = drawn
  }
  return indices.slice(0, count).sort((left, right) => left - right)
}

/** What a charter assumes of a committee that is smaller than its membership. */
export type CommitteeTerms = NonNullable<Charter['committee']>

/** C(n, k), exactly. */
function choose(n: number, k: number): bigint {
  if (k < 0 || k > n) return 0n
  let product = 1n
  for (let index = 1; index <= Math.min(k, n - k); index++)
    product = (product * BigInt(n - index + 1)) / BigInt(index)
  return product
}

/** Ways to draw a committee that holds more than its f, of all ways: the upper tail of the hypergeometric distribution. */
function badDraws(members: number, faulty: number, committee: number): { bad: bigint; all: bigint } {
  let bad = 0n
  for (let drawn = maximumFaulty(committee) + 1; drawn <= Math.min(faulty, committee); drawn++)
    bad += choose(faulty, drawn) * choose(members - faulty, committee - drawn)
  return { bad, all: choose(members, committee) }
}

/** Digits of a fraction that survive the way from exact integers to a number. */
const SCALE = 10n ** 30n

/** Members that are faulty by a charter's assumption: the fraction of all, rounded up. */
function assumedFaulty(members: number, { assumedFaulty: fraction }: CommitteeTerms): number {
  return Math.min(members, Math.ceil(members * fraction))
}

/**
 * Probability that a committee drawn for one round holds more faulty members than it survives.
 *
 * @param members number of all members
 */
export function committeeFailure(members: number, terms: CommitteeTerms): number {
  const { bad, all } = badDraws(members, assumedFaulty(members, terms), Math.min(terms.size, members))
  return Number((bad * SCALE) / all) / Number(SCALE)
}

/**
 * Whether a committee keeps its charter's promise: over all its rounds the probability of a bad one, by the union bound,
 * is at most ε. In exact integers, so that every machine agrees.
 */
export function isCommitteeSafe(members: number, terms: CommitteeTerms): boolean {
  const { bad, all } = badDraws(members, assumedFaulty(members, terms), Math.min(terms.size, members))
  const epsilon = BigInt(Math.floor(terms.epsilon * 2 ** 52))
  return bad * BigInt(terms.rounds) * 2n ** 52n <= epsilon * all
}

/** What a committee promises, in words for whoever makes a charter. */
export function describeCommittee(members: number, terms: CommitteeTerms): string {
  const probability = committeeFailure(members, terms)
  return (
    `committees of ${terms.size} from ${members} members, ${assumedFaulty(members, terms)} of them assumed faulty: ` +
    `one holds more than its ${maximumFaulty(terms.size)} with probability ${probability.toExponential(2)}, ` +
    `in ${terms.rounds} rounds at most ${(probability * terms.rounds).toExponential(2)}`
  )
}

import { AdapterError } from '../pair/adapter-error.ts'

/**
 * Whether a stack clips every member's update to the median norm of the cut, module by module, and caps weights more
 * tightly.
 */
export type Clip = 'median' | 'none'

/**
 * How the members of a cut are weighted: `samples` (rule 9: their documents, capped by the lower median), `uniform`
 * (one each), or integers that a charter fixes, by the author's bytes in lowercase hex.
 */
export type MemberWeights = 'samples' | 'uniform' | ReadonlyMap<string, number>

/**
 * In cuts of up to this many members a clipped stack weights nobody above the median: one member alone may be the whole
 * tolerated share of faults.
 */
const SMALL_CUT = 4

/**
 * Rule 9: n_k ← min(n_k, 2 · lower median of the cut's n), so that no member outweighs the others by a number that
 * nobody can verify. The lower median of an even count is the smaller of the two in the middle. In a clipped stack the
 * cap is ⌊1.5 · lower median⌋, and the lower median itself in a cut of at most 4.
 *
 * @throws {AdapterError} when a count is not a positive safe integer, or there are none
 */
export function cappedSamples(samples: readonly number[], clip: Clip = 'none'): number[] {
  if (samples.length === 0) throw new AdapterError('a cut without members has no median')
  checkCounts(samples, 'samples')
  const median = [...samples].sort((a, b) => a - b)[Math.floor((samples.length - 1) / 2)]!
  const cap = clip === 'none' ? 2 * median : clippedCap(median, samples.length)
  return samples.map((n) => Math.min(n, cap))
}

function clippedCap(median: number, members: number): number {
  return members <= SMALL_CUT ? median : median + Math.floor(median / 2)
}

/**
 * p_k = n_k / Σ n: integers, then one float64 division each.
 *
 * @throws {AdapterError} when Σ n exceeds the safe integers
 */
export function shares(counts: readonly number[]): number[] {
  const sum = counts.reduce((total, n) => total + n, 0)
  if (!Number.isSafeInteger(sum))
    throw new AdapterError(`the cut's samples sum to ${sum}, more than the largest safe integer`)
  return counts.map((n) => n / sum)
}

/**
 * The integers n_k from which a cut's weights are computed.
 *
 * @throws {AdapterError} when a count is not a positive safe integer, a member has none, or there is no member
 */
export function memberCounts(
  members: readonly { readonly author: Uint8Array; readonly samples: number }[],
  weights: MemberWeights = 'samples',
  clip: Clip = 'none'
): number[] {
  const samples = cappedSamples(
    members.map((member) => member.samples),
    clip
  )
  if (weights === 'samples') return samples
  if (weights === 'uniform') return samples.map(() => 1)
  const counts = members.map(({ author }) => {
    const name = Buffer.from(author).toString('hex')
    const count = weights.get(name)
    if (count === undefined) throw new AdapterError(`no weight for author ${name}`)
    return count
  })
  checkCounts(counts, 'weight')
  return counts
}

function checkCounts(counts: readonly number[], name: string): void {
  for (const n of counts) {
    if (!Number.isSafeInteger(n) || n < 1)
      throw new AdapterError(`${name} must be a positive integer, got ${n}`)
  }
}

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

/** Members up to which a clipped stack counts nobody more than the median: one of them may be a fault's whole quota. */
const SMALL_CUT = 4

/**
 * Rule 9: n_k ← min(n_k, 2 · lower median of the cut's n), so that no member outweighs the others by an unverifiable
 * number. The lower median of an even count is the smaller of the two in the middle. In a clipped stack the cap is ⌊1.5
 * · lower median⌋, and the lower median itself in a cut of at most 4.
 *
 * @throws {AdapterError} when a count is not a positive safe integer, or there is none
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
 * @throws {AdapterError} when Σ n is beyond exact integers
 */
export function shares(counts: readonly number[]): number[] {
  const sum = counts.reduce((total, n) => total + n, 0)
  if (!Number.isSafeInteger(sum))
    throw new AdapterError(`the cut's samples sum to ${sum}, beyond exact integers`)
  return counts.map((n) => n / sum)
}

/**
 * The integers n_k that a cut's shares are made of.
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
    if (count === undefined) throw new AdapterError(`no weight is given for author ${name}`)
    return count
  })
  checkCounts(counts, 'weight')
  return counts
}

function checkCounts(counts: readonly number[], name: string): void {
  for (const n of counts) {
    if (!Number.isSafeInteger(n) || n < 1) throw new AdapterError(`${name} is ${n}, not a count`)
  }
}

import { combineSeeds, seededIntegers, seededShuffle } from '../../src/data/order/seeded-order.ts'
import { shuffledClasses } from './classes.ts'
import { checkPartition, type LabelledPartitionOptions } from './options.ts'
import { cutByShares, fillUp } from './portions.ts'

/** Options for dividing a corpus by Dirichlet draws. */
export interface DirichletPartitionOptions extends LabelledPartitionOptions {
  /** Concentration, positive: below 1 each class goes to few members, far above 1 all get similar shares. */
  readonly alpha: number
  /** Minimum number of documents per member; 1 if absent. */
  readonly minimumDocuments?: number
}

/**
 * Each class is divided among the members by shares drawn from a symmetric Dirichlet(alpha) (Hsu et al. 2019; FLoRA,
 * section 5, divides by category with alpha 0.5). A member below the minimum gets documents from the member with the
 * most.
 *
 * @throws {RangeError} if there are too few documents, alpha is not positive, or labels do not match the documents
 */
export function partitionDirichlet<T>(documents: readonly T[], options: DirichletPartitionOptions): T[][] {
  checkPartition(documents, options)
  const { members, labels, seed, alpha, minimumDocuments = 1 } = options
  if (!(alpha > 0 && Number.isFinite(alpha)))
    throw new RangeError(`alpha must be a positive number, got ${alpha}`)
  const draw = seededUniform(combineSeeds(seed, -1))
  const lists: T[][] = Array.from({ length: members }, () => [])
  for (const documentsOfClass of shuffledClasses(documents, labels, seed)) {
    const shares = dirichletShares(members, alpha, draw)
    for (const [member, portion] of cutByShares(documentsOfClass, shares).entries())
      lists[member]!.push(...portion)
  }
  // The classes in a list are consecutive. Shuffling it lets fillUp move documents of any class.
  return fillUp(
    lists.map((list, member) => seededShuffle(list, combineSeeds(seed, member))),
    minimumDocuments
  )
}

/** One draw from a symmetric Dirichlet distribution: positive shares that sum to about 1. */
export function dirichletShares(count: number, alpha: number, uniform: () => number): number[] {
  const logs = Array.from({ length: count }, () => logGamma(alpha, uniform))
  // Uses logarithms, since for a small alpha the gamma variables would all underflow to 0.
  const highest = Math.max(...logs)
  const shares = logs.map((log) => Math.exp(log - highest))
  const total = shares.reduce((sum, share) => sum + share, 0)
  return shares.map((share) => share / total)
}

/**
 * Logarithm of a Gamma(shape, 1) variable: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000,
 * with their boost X_{a} = X_{a+1} · U^{1/a} for shapes below 1.
 */
function logGamma(shape: number, uniform: () => number): number {
  if (shape < 1) return logGamma(shape + 1, uniform) + Math.log(uniform()) / shape
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = normal(uniform)
    const v = (1 + c * x) ** 3
    if (v > 0 && Math.log(uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d * v)
  }
}

/** A standard normal variable, by Marsaglia's polar method. */
function normal(uniform: () => number): number {
  for (;;) {
    const u = 2 * uniform() - 1
    const v = 2 * uniform() - 1
    const s = u * u + v * v
    if (s > 0 && s < 1) return u * Math.sqrt((-2 * Math.log(s)) / s)
  }
}

/** Uniform in the open interval (0, 1). */
function seededUniform(seed: number): () => number {
  const next = seededIntegers(seed)
  return () => (next() + 0.5) / 2 ** 32
}

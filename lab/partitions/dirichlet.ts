import { combineSeeds, seededIntegers, seededShuffle } from '../../src/data/order/seeded-order.ts'
import { shuffledClasses } from './classes.ts'
import { checkPartition, type LabelledPartitionOptions } from './options.ts'
import { cutByShares, fillUp } from './portions.ts'

/** How a corpus is divided by Dirichlet draws. */
export interface DirichletPartitionOptions extends LabelledPartitionOptions {
  /** Concentration, positive: below 1 each class goes to few members, far above 1 all get alike. */
  readonly alpha: number
  /** Every member has at least this many documents; 1 where it is absent. */
  readonly minimumDocuments?: number
}

/**
 * Each class is divided among the members by shares drawn from a symmetric Dirichlet(alpha) (Hsu et al. 2019; FLoRA,
 * section 5, divides by category with alpha 0.5). A member below the minimum gets documents of the one that has most.
 *
 * @throws {RangeError} when there are too few documents, alpha is not positive, or labels do not fit
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
  // Classes stand one after another in a list: mixed, so that what fillUp moves is of any of them.
  return fillUp(
    lists.map((list, member) => seededShuffle(list, combineSeeds(seed, member))),
    minimumDocuments
  )
}

/** One draw from a symmetric Dirichlet distribution: positive shares that sum to about 1. */
export function dirichletShares(count: number, alpha: number, uniform: () => number): number[] {
  const logs = Array.from({ length: count }, () => logGamma(alpha, uniform))
  // By logarithms: for a small alpha the gamma variables themselves would all be 0.
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

/** Uniform in (0, 1), both excluded. */
function seededUniform(seed: number): () => number {
  const next = seededIntegers(seed)
  return () => (next() + 0.5) / 2 ** 32
}

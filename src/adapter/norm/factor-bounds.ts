import type { LoraPair } from '../pair/lora-adapter.ts'
import { loraScale } from '../pair/lora-scale.ts'

/** Largest magnitude of an element of A, of B, of s·A and of the scale s itself; its inverse is the smallest scale. */
const ELEMENT_MAX = 2 ** 64
/** Largest s·‖A‖·‖B‖ whatever the bound: sums of such terms stay far below the largest float32. */
const FACTOR_NORM_MAX = 2 ** 100
/** How many times √rank the product of the factors' norms may exceed the bound on their product's norm. */
const FACTOR_SLACK = 4

/**
 * s·‖A‖_F·‖B‖_F in float64, row by row in memory: the rounding error of the float32 merge grows with it, while
 * ‖s·B·A‖_F alone may be 0 (docs/spec/aggregation.md, "What is checked is what is computed").
 */
export function factorNorm(pair: LoraPair, rsLora = false): number {
  return loraScale(pair, rsLora) * Math.sqrt(squares(pair.A)) * Math.sqrt(squares(pair.B))
}

/** Largest {@link factorNorm} allowed for a pair of this rank when ‖ΔW‖_F may be up to `bound`. */
export function factorNormBound(rank: number, bound: number): number {
  return Math.min(FACTOR_SLACK * Math.sqrt(rank) * bound, FACTOR_NORM_MAX)
}

/**
 * Why a pair's factors cannot be those of an honest update, or undefined if they can: elements or a scale beyond 2^±64,
 * or norms whose product is more than 4·√rank times `bound`. Depends on the pair and the bound alone.
 *
 * @param bound largest Frobenius norm of the module's ΔW
 */
export function factorFault(pair: LoraPair, bound: number, rsLora = false): string | undefined {
  const { module, rank, A, B } = pair
  const scale = loraScale(pair, rsLora)
  if (!(scale >= 1 / ELEMENT_MAX && scale <= ELEMENT_MAX))
    return `${module}: the scale ${scale} is not between 2^-64 and 2^64`
  const largest = Math.max(Math.max(1, scale) * magnitude(A), magnitude(B))
  if (!(largest <= ELEMENT_MAX))
    return `${module}: an element of the factors is as large as ${largest}, above 2^64`
  const norm = factorNorm(pair, rsLora)
  const highest = factorNormBound(rank, bound)
  if (!(norm <= highest))
    return `${module}: the factors cancel or are too large: the product of their norms ${norm} is above ${highest}`
  return undefined
}

function squares(values: Float32Array): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!
  return sum
}

/** The largest magnitude, or NaN if an element is NaN. */
function magnitude(values: Float32Array): number {
  let largest = 0
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]!)
    if (Number.isNaN(size)) return size
    if (size > largest) largest = size
  }
  return largest
}
